package perigee.interop;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.PullCallback;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Lite pull and plain pull consumers. */
final class PullCases {
    private static final long POLL_MS = 200;
    /** A held pull must be answered this soon after the send returned: before Apache's check of every 5 s, long before its 20 s are over. */
    private static final long WAKE_MS_MAX = 3_000;

    private PullCases() {
    }

    static void register(Map<String, Driver.Case> cases) {
        cases.put("litepull-subscribe", PullCases::subscribe);
        cases.put("litepull-assign-seek", PullCases::assignSeek);
        cases.put("pull-statuses", PullCases::statuses);
        cases.put("pull-offsets", PullCases::offsets);
        cases.put("pull-held-wakes", PullCases::heldWakes);
    }

    private static List<MessageExt> poll(DefaultLitePullConsumer consumer, int count) throws Exception {
        List<MessageExt> got = new ArrayList<>();
        Check.until(count + " messages polled", () -> {
            got.addAll(consumer.poll(POLL_MS));
            return got.size() >= count;
        });
        Check.equal(count, got.size(), "messages polled");
        return got;
    }

    private static String subscribe(Env env) throws Exception {
        String topic = env.topic("lite", 4);
        String group = env.fresh("group");
        DefaultLitePullConsumer first = env.litePull(group);
        first.subscribe(topic, "*");
        first.start();
        List<String> sent = env.sendMany(topic, "one", 60);
        Check.equal(new HashSet<>(sent), new HashSet<>(Env.bodies(poll(first, 60))), "bodies");
        Check.until("60 committed", () -> {
            first.commit(first.assignment(), true);
            return env.storedOffsets(group, topic) == 60;
        });
        first.shutdown();
        List<String> later = env.sendMany(topic, "two", 20);
        DefaultLitePullConsumer second = env.litePull(group);
        second.subscribe(topic, "*");
        second.start();
        Check.equal(new HashSet<>(later), new HashSet<>(Env.bodies(poll(second, 20))), "bodies after the commit");
        return "60, then 20 from the committed offset on";
    }

    private static String assignSeek(Env env) throws Exception {
        String topic = env.topic("assign", 2);
        env.sendMany(topic, "m", 40);
        env.readBack(topic, 40);
        DefaultLitePullConsumer consumer = env.litePull(env.fresh("group"));
        consumer.setAutoCommit(false);
        consumer.start();
        Collection<MessageQueue> queues = consumer.fetchMessageQueues(topic);
        MessageQueue queue = new ArrayList<>(queues).get(0);
        consumer.assign(List.of(queue));
        consumer.seekToBegin(queue);
        long end = env.reader().maxOffset(queue);
        Check.equal(end, (long) poll(consumer, (int) end).size(), "messages of one queue");
        consumer.seek(queue, end - 3);
        Check.equal(end - 3, poll(consumer, 3).get(0).getQueueOffset(), "first offset after the seek");
        consumer.seekToEnd(queue);
        env.producer().send(Env.message(topic, "new"), queue);
        Check.equal("new", Env.body(poll(consumer, 1).get(0)), "message after the end");
        Map<MessageQueue, Long> offsets = new HashMap<>();
        offsets.put(queue, end - 1);
        consumer.commitSync(offsets, true);
        Check.until("committed offset", () -> consumer.committed(queue) == end - 1);
        return "begin, seek, end, commit";
    }

    private static String statuses(Env env) throws Exception {
        String topic = env.topic("statuses", 1);
        DefaultMQPullConsumer reader = env.reader();
        MessageQueue queue = env.queues(topic).iterator().next();
        Check.equal(PullStatus.NO_NEW_MSG, reader.pull(queue, "*", 0, 8).getPullStatus(), "empty queue");
        for (int i = 0; i < 10; i++) {
            env.producer().send(Env.message(topic, "m-" + i), queue);
        }
        Check.until("ten in the queue", () -> reader.maxOffset(queue) == 10);
        PullResult found = reader.pull(queue, "*", 2, 3);
        Check.equal("FOUND [m-2, m-3, m-4] 5 0 10", found.getPullStatus() + " " + Env.bodies(found.getMsgFoundList()) + " "
            + found.getNextBeginOffset() + " " + found.getMinOffset() + " " + found.getMaxOffset(), "found");
        PullResult none = reader.pull(queue, "NoSuchTag", 0, 32);
        Check.equal("NO_MATCHED_MSG 10", none.getPullStatus() + " " + none.getNextBeginOffset(), "tag that nobody sent");
        Check.equal(PullStatus.NO_NEW_MSG, reader.pull(queue, "*", 10, 8).getPullStatus(), "at the end");
        PullResult beyond = reader.pull(queue, "*", 99, 8);
        Check.equal("OFFSET_ILLEGAL 10", beyond.getPullStatus() + " " + beyond.getNextBeginOffset(), "beyond the end");
        return "FOUND, NO_MATCHED_MSG, NO_NEW_MSG, OFFSET_ILLEGAL";
    }

    private static String offsets(Env env) throws Exception {
        String topic = env.topic("stored", 1);
        MessageQueue queue = env.queues(topic).iterator().next();
        DefaultMQPullConsumer consumer = env.configured(new DefaultMQPullConsumer(env.fresh("group")));
        consumer.start();
        env.closeLater(consumer::shutdown);
        env.sendMany(topic, "m", 5);
        consumer.pull(queue, "*", 0, 3);
        consumer.updateConsumeOffset(queue, 3);
        consumer.getOffsetStore().persistAll(Set.of(queue));
        Check.until("stored offset", () -> consumer.fetchConsumeOffset(queue, true) == 3);
        return "offset 3 stored and read back";
    }

    private static String heldWakes(Env env) throws Exception {
        String topic = env.topic("held", 1);
        MessageQueue queue = env.queues(topic).iterator().next();
        long worst = 0;
        for (int round = 0; round < 4; round++) {
            CountDownLatch done = new CountDownLatch(1);
            AtomicReference<Object> answer = new AtomicReference<>();
            env.reader().pullBlockIfNotFound(queue, "*", round, 32, new PullCallback() {
                @Override
                public void onSuccess(PullResult result) {
                    answer.set(result);
                    done.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    answer.set(error);
                    done.countDown();
                }
            });
            Check.that(!done.await(400, TimeUnit.MILLISECONDS), "not held, answered with " + answer.get());
            env.producer().send(Env.message(topic, "wake-" + round), queue);
            long sentAt = System.nanoTime();
            Check.that(done.await(WAKE_MS_MAX, TimeUnit.MILLISECONDS), "not answered within " + WAKE_MS_MAX + " ms");
            worst = Math.max(worst, (System.nanoTime() - sentAt) / 1_000_000);
            Check.that(answer.get() instanceof PullResult, "answered with " + answer.get());
            Check.equal(List.of("wake-" + round), Env.bodies(((PullResult) answer.get()).getMsgFoundList()), "bodies");
        }
        return "slowest of 4 wake-ups " + worst + " ms";
    }
}
