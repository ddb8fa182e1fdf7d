package perigee.interop;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Queries, offsets, topic administration, refusals. */
final class QueryCases {
    private static final int MESSAGE_ILLEGAL = 13;
    private static final int NO_PERMISSION = 16;
    private static final int TOPIC_NOT_EXIST = 17;
    /** The clients' own code for "no writable queue known". */
    private static final int CLIENT_NOT_FOUND_TOPIC = 10_005;

    private QueryCases() {
    }

    static void register(Map<String, Driver.Case> cases) {
        cases.put("query-key", QueryCases::byKey);
        cases.put("query-unique-key", QueryCases::byUniqueKey);
        cases.put("view-id", QueryCases::byId);
        cases.put("queue-offsets", QueryCases::queueOffsets);
        cases.put("topic-create", QueryCases::createTopic);
        cases.put("topic-auto-create", QueryCases::autoCreate);
        cases.put("topic-queue-numbers", QueryCases::queueNumbers);
        cases.put("error-permission", QueryCases::permission);
        cases.put("error-too-large", QueryCases::tooLarge);
        cases.put("error-unknown-topic", QueryCases::unknownTopic);
    }

    private static String byKey(Env env) throws Exception {
        String topic = env.topic("key", 4);
        long begin = System.currentTimeMillis() - 60_000;
        for (int i = 0; i < 20; i++) {
            Message message = Env.message(topic, "m-" + i);
            message.setKeys(List.of("all", "key-" + i % 4));
            env.send(message);
        }
        long end = System.currentTimeMillis() + 60_000;
        for (String[] expected : new String[][] {{"key-2", "5"}, {"all", "20"}}) {
            Check.until(expected[1] + " messages of key " + expected[0], () ->
                env.producer().queryMessage(topic, expected[0], 64, begin, end).getMessageList().size() == Integer.parseInt(expected[1]));
        }
        List<String> found = Env.bodies(env.producer().queryMessage(topic, "key-2", 64, begin, end).getMessageList());
        Check.equal(new TreeSet<>(List.of("m-2", "m-6", "m-10", "m-14", "m-18")), new TreeSet<>(found), "bodies of key-2");
        int most = 3 * env.masters().size();
        Check.equal(most, env.producer().queryMessage(topic, "all", 3, begin, end).getMessageList().size(), "at most 3 of each broker");
        return "5 of key-2, 20 of all";
    }

    private static String byUniqueKey(Env env) throws Exception {
        String topic = env.topic("unique", 2);
        env.sendMany(topic, "other", 5);
        SendResult result = env.send(Env.message(topic, "wanted"));
        Check.until("message by unique key", () ->
            "wanted".equals(Env.body(env.producer().viewMessage(topic, result.getMsgId()))));
        return result.getMsgId();
    }

    private static String byId(Env env) throws Exception {
        String topic = env.topic("view", 2);
        Message message = Env.message(topic, "wanted ✓");
        message.setKeys("k");
        SendResult result = env.send(message);
        MessageExt found = env.producer().viewMessage(topic, result.getOffsetMsgId());
        Check.equal("wanted ✓", Env.body(found), "body");
        Check.equal(result.getQueueOffset(), found.getQueueOffset(), "queue offset");
        Check.equal(result.getMsgId(), found.getMsgId(), "unique id");
        Check.equal("k", found.getKeys(), "keys");
        return result.getOffsetMsgId();
    }

    private static String queueOffsets(Env env) throws Exception {
        String topic = env.topic("offsets", 1);
        MessageQueue queue = env.queues(topic).iterator().next();
        DefaultMQProducer admin = env.producer();
        Check.equal("0 0 -1", admin.minOffset(queue) + " " + admin.maxOffset(queue) + " " + admin.earliestMsgStoreTime(queue), "empty queue");
        long before = System.currentTimeMillis();
        for (int i = 0; i < 5; i++) {
            admin.send(Env.message(topic, "old-" + i), queue);
        }
        long middle = System.currentTimeMillis() + 30;
        Check.until("30 ms gone by", () -> System.currentTimeMillis() > middle + 30);
        for (int i = 0; i < 5; i++) {
            admin.send(Env.message(topic, "new-" + i), queue);
        }
        Check.until("ten in the queue", () -> admin.maxOffset(queue) == 10);
        Check.equal(0L, admin.minOffset(queue), "minOffset");
        long earliest = admin.earliestMsgStoreTime(queue);
        Check.that(earliest >= before && earliest <= middle, "earliest store time " + earliest + " not in " + before + ".." + middle);
        Check.equal(0L, admin.searchOffset(queue, before - 60_000), "offset of a time before the first message");
        Check.equal(0L, admin.searchOffset(queue, earliest), "offset of the first message's time");
        Check.equal(5L, admin.searchOffset(queue, middle), "offset of a time in the middle");
        long beyond = admin.searchOffset(queue, System.currentTimeMillis() + 60_000);
        Check.equal(10L, beyond, "offset of a time after the last message");
        return "min 0, max 10, middle 5, beyond " + beyond;
    }

    private static String createTopic(Env env) throws Exception {
        String topic = env.fresh("created");
        Compat.createTopic(env.producer(), Compat.clusterName(env.api()), topic, 3);
        int expected = 3 * env.masters().size();
        Check.until("route of " + topic, () -> env.producer().fetchPublishMessageQueues(topic).size() == expected);
        List<String> sent = env.sendMany(topic, "m", 6);
        Check.equal(new HashSet<>(sent), new HashSet<>(Env.bodies(env.readBack(topic, 6))), "bodies");
        return expected + " queues";
    }

    private static String autoCreate(Env env) throws Exception {
        String topic = env.fresh("auto");
        List<String> sent = env.sendMany(topic, "m", 8);
        Check.until("route of " + topic, () -> Compat.routeBrokers(env.api(), topic) > 0);
        Check.equal(new HashSet<>(sent), new HashSet<>(Env.bodies(env.readBack(topic, 8))), "bodies");
        return env.queues(topic).size() + " queues";
    }

    private static String queueNumbers(Env env) throws Exception {
        String topic = env.topic(env.fresh("numbers"), 5, 2, Env.READ | Env.WRITE);
        int masters = env.masters().size();
        Check.equal(2 * masters, env.producer().fetchPublishMessageQueues(topic).size(), "queues to write");
        Check.equal(5 * masters, env.queues(topic).size(), "queues to read");
        env.sendMany(topic, "m", 10);
        for (MessageExt message : env.readBack(topic, 10)) {
            Check.that(message.getQueueId() < 2, "written to queue " + message.getQueueId());
        }
        return "2 to write, 5 to read";
    }

    private interface Action {
        Object run() throws Exception;
    }

    private static String refusal(String what, int code, Action action) throws Exception {
        try {
            Object result = action.run();
            throw new Check.Failure(what + ": accepted with " + result, null);
        } catch (MQBrokerException e) {
            Check.equal(code, e.getResponseCode(), what + " (" + e.getErrorMessage() + ")");
            return e.getErrorMessage();
        }
    }

    private static String permission(Env env) throws Exception {
        String writeOnly = env.topic(env.fresh("write-only"), 1, 1, Env.WRITE);
        env.sendMany(writeOnly, "m", 1);
        MessageQueue queue = new MessageQueue(writeOnly, env.masters().keySet().iterator().next(), 0);
        String refused = refusal("pull without read permission", NO_PERMISSION, () -> env.reader().pull(queue, "*", 0, 8));
        Check.that(refused.contains(writeOnly), "the refusal names the topic: " + refused);
        String readOnly = env.topic(env.fresh("read-only"), 1, 1, Env.READ);
        try {
            env.producer().send(Env.message(readOnly, "m"));
            throw new Check.Failure("sent to a topic that the route says is read-only", null);
        } catch (MQClientException e) {
            Check.equal(CLIENT_NOT_FOUND_TOPIC, e.getResponseCode(), "send without write permission");
        }
        return refused;
    }

    private static String tooLarge(Env env) throws Exception {
        String topic = env.topic("large", 1);
        DefaultMQProducer producer = env.newProducer();
        producer.setMaxMessageSize(16 * 1024 * 1024);
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        producer.setRetryTimesWhenSendFailed(0);
        producer.start();
        env.closeLater(producer::shutdown);
        byte[] body = new byte[4 * 1024 * 1024 + 1];
        new Random(1).nextBytes(body);
        String refused = refusal("5 MB body", MESSAGE_ILLEGAL, () -> producer.send(new Message(topic, body), 20_000));
        Message wide = Env.message(topic, "m");
        wide.putUserProperty("wide", "x".repeat(40_000));
        refusal("properties beyond 32767 bytes", MESSAGE_ILLEGAL, () -> producer.send(wide));
        Check.equal(0, env.readAll(topic).size(), "messages stored");
        return refused;
    }

    private static String unknownTopic(Env env) throws Exception {
        String known = env.topic("known", 1);
        MessageQueue queue = new MessageQueue(env.fresh("unknown"), env.queues(known).iterator().next().getBrokerName(), 0);
        return refusal("pull of an unknown topic", TOPIC_NOT_EXIST, () -> env.reader().pull(queue, "*", 0, 8)).split("\n")[0];
    }
}
