package perigee.interop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.rocketmq.client.producer.MessageQueueSelector;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** How messages are sent; each case reads its topic back by queue offset. */
final class SendCases {
    private SendCases() {
    }

    static void register(Map<String, Driver.Case> cases) {
        cases.put("send-sync", SendCases::sync);
        cases.put("send-async", SendCases::async);
        cases.put("send-oneway", SendCases::oneway);
        cases.put("send-batch", SendCases::batch);
        cases.put("send-selector", SendCases::selector);
        cases.put("send-compressed", SendCases::compressed);
        cases.put("send-properties", SendCases::properties);
    }

    /** Same order with equal hash goes to the same queue. */
    static MessageQueueSelector byHash() {
        return (queues, message, key) -> queues.get(Math.floorMod(key.hashCode(), queues.size()));
    }

    private static String sync(Env env) throws Exception {
        String topic = env.topic("sync", 4);
        Map<MessageQueue, Long> next = new HashMap<>();
        Set<String> ids = new HashSet<>();
        List<String> sent = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            SendResult result = env.send(Env.message(topic, "sync-" + i));
            long expected = next.getOrDefault(result.getMessageQueue(), 0L);
            Check.equal(expected, result.getQueueOffset(), "queue offset in " + result.getMessageQueue());
            next.put(result.getMessageQueue(), expected + 1);
            ids.add(result.getMsgId());
            ids.add(result.getOffsetMsgId());
            sent.add("sync-" + i);
        }
        Check.equal(80, ids.size(), "distinct message ids");
        Check.equal(new TreeSet<>(sent), new TreeSet<>(Env.bodies(env.readBack(topic, 40))), "bodies");
        return next.size() + " queues used";
    }

    private static String async(Env env) throws Exception {
        String topic = env.topic("async", 4);
        int count = 200;
        CountDownLatch done = new CountDownLatch(count);
        AtomicReference<Object> bad = new AtomicReference<>();
        for (int i = 0; i < count; i++) {
            env.producer().send(Env.message(topic, "async-" + i), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    if (result.getSendStatus() != SendStatus.SEND_OK) {
                        bad.set(result);
                    }
                    done.countDown();
                }

                @Override
                public void onException(Throwable error) {
                    bad.set(error);
                    done.countDown();
                }
            });
        }
        Check.that(done.await(Check.DEADLINE_MS, TimeUnit.MILLISECONDS), done.getCount() + " callbacks missing");
        Check.equal(null, bad.get(), "failed send");
        Check.equal(count, new HashSet<>(Env.bodies(env.readBack(topic, count))).size(), "distinct bodies");
        return count + " callbacks";
    }

    private static String oneway(Env env) throws Exception {
        String topic = env.topic("oneway", 2);
        for (int i = 0; i < 30; i++) {
            env.producer().sendOneway(Env.message(topic, "oneway-" + i));
        }
        Check.equal(30, new HashSet<>(Env.bodies(env.readBack(topic, 30))).size(), "distinct bodies");
        return "30 arrived";
    }

    private static String batch(Env env) throws Exception {
        String topic = env.topic("batch", 2);
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            Message message = Env.message(topic, "batch-" + i);
            message.setTags("T" + i % 2);
            message.setKeys("key" + i);
            message.putUserProperty("n", "" + i);
            messages.add(message);
        }
        SendResult result = env.producer().send(messages);
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        Check.equal(50, result.getMsgId().split(",").length, "unique ids in the reply");
        Check.equal(50, result.getOffsetMsgId().split(",").length, "offset ids in the reply");
        List<MessageExt> read = env.readBack(topic, 50);
        for (int i = 0; i < 50; i++) {
            MessageExt message = read.get(i);
            Check.equal("batch-" + i, Env.body(message), "order in the batch");
            Check.equal(result.getQueueOffset() + i, message.getQueueOffset(), "queue offset");
            Check.equal("T" + i % 2 + " key" + i + " " + i,
                message.getTags() + " " + message.getKeys() + " " + message.getUserProperty("n"), "properties");
            Check.equal(result.getOffsetMsgId().split(",")[i], Env.offsetId(message), "offset id");
        }
        return "50 in one request";
    }

    private static String selector(Env env) throws Exception {
        String topic = env.topic("selector", 4);
        for (int i = 0; i < 60; i++) {
            String order = "order-" + i % 7;
            SendResult result = env.producer().send(Env.message(topic, order + ":" + i), byHash(), order);
            Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        }
        Map<String, String> queueOf = new HashMap<>();
        Map<String, Integer> lastOf = new HashMap<>();
        for (MessageExt message : env.readBack(topic, 60)) {
            String[] parts = Env.body(message).split(":");
            String queue = message.getBrokerName() + "/" + message.getQueueId();
            Check.equal(queue, queueOf.computeIfAbsent(parts[0], k -> queue), "queue of " + parts[0]);
            int number = Integer.parseInt(parts[1]);
            Check.that(lastOf.getOrDefault(parts[0], -1) < number, "order within " + parts[0]);
            lastOf.put(parts[0], number);
        }
        return queueOf.size() + " orders in " + new HashSet<>(queueOf.values()).size() + " queues";
    }

    private static String compressed(Env env) throws Exception {
        String topic = env.topic("compressed", 1);
        Map<String, Integer> sizes = new HashMap<>();
        for (int size : new int[] {4_095, 5_000, 100_000, 1_500_000}) {
            String body = "compressible text ".repeat(size / 18 + 1).substring(0, size);
            sizes.put(body, size);
            env.send(Env.message(topic, body));
        }
        for (MessageExt message : env.readBack(topic, 4)) {
            Integer size = sizes.remove(Env.body(message));
            Check.that(size != null, "a body of " + message.getBody().length + " bytes differs");
            Check.equal(size > 4_096, message.getStoreSize() < size, "stored in " + message.getStoreSize() + " of " + size + " bytes");
        }
        return "3 of 4 compressed, all equal";
    }

    private static String properties(Env env) throws Exception {
        String topic = env.topic("properties", 1);
        Message message = Env.message(topic, "körper ✓ 消息 \u0000 𝄞");
        message.setTags("标签");
        message.setKeys(List.of("schlüssel", "键", "k3"));
        message.putUserProperty("ümläut", "größe=1;2 \"quoted\" \\ {json}");
        message.putUserProperty("long", "x".repeat(5_000));
        message.setBuyerId("buyer");
        message.setFlag(0x7eadbeef);
        SendResult result = env.send(message);
        MessageExt read = env.readBack(topic, 1).get(0);
        Check.equal("körper ✓ 消息 \u0000 𝄞", Env.body(read), "body");
        Check.equal("标签", read.getTags(), "tags");
        Check.equal("schlüssel 键 k3", read.getKeys(), "keys");
        Check.equal("größe=1;2 \"quoted\" \\ {json}", read.getUserProperty("ümläut"), "user property");
        Check.equal(5_000, read.getUserProperty("long").length(), "long user property");
        Check.equal("buyer", read.getBuyerId(), "buyer id");
        Check.equal(0x7eadbeef, read.getFlag(), "flag");
        Check.equal(result.getMsgId(), read.getMsgId(), "unique id");
        Check.equal(topic, read.getTopic(), "topic");
        Check.that(Math.abs(read.getStoreTimestamp() - read.getBornTimestamp()) < 60_000, "store and born time");
        return "equal";
    }
}
