package perigee.interop;

import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Filtered, traced, compressed, found again. Not part of {@code all}: the broker needs enablePropertyFilter and traceTopicEnable. */
final class MessageCases {
    private static final int SUBSCRIPTION_PARSE_FAILED = 23;
    private static final String TRACE_TOPIC = "RMQ_SYS_TRACE_TOPIC";
    private static final long MINUTE_MS = 60_000;
    /** An index entry knows its message's time to the second, rounded down. */
    private static final long INDEX_SECOND_MS = 1_000;

    private MessageCases() {
    }

    static void register(Map<String, Driver.Case> cases) {
        cases.put("sql92", MessageCases::sql92);
        cases.put("sql92-bad", MessageCases::badExpression);
        cases.put("trace", env -> traced(env, null));
        cases.put("trace-own-topic", env -> traced(env, env.topic("traces", 1)));
        cases.put("compressed-lz4", env -> compressed(env, "LZ4"));
        cases.put("compressed-zstd", env -> compressed(env, "ZSTD"));
        cases.put("compressed-zlib", env -> compressed(env, "ZLIB"));
        cases.put("wait-false", MessageCases::noWait);
        cases.put("character-sets", MessageCases::characterSets);
        cases.put("query-time-range", MessageCases::timeRange);
        cases.put("oneway-seen-pushed", MessageCases::onewayPushed);
    }

    private static Message counted(String topic, String body, int a, String b) {
        Message message = Env.message(topic, body);
        message.putUserProperty("a", String.valueOf(a));
        if (b != null) {
            message.putUserProperty("b", b);
        }
        return message;
    }

    /** What is there before the consumer, and what wakes its held pulls. */
    private static String sql92(Env env) throws Exception {
        String topic = env.topic("sql", 2);
        List<String> wanted = new ArrayList<>();
        String[] towns = {"Köln", "Kiel", null};
        for (int i = 0; i < 60; i++) {
            String town = towns[i % 3];
            env.send(counted(topic, "m-" + i, i, town));
            if (i >= 10 && i <= 40 && "Köln".equals(town) || i > 55 && town == null) {
                wanted.add("m-" + i);
            }
        }
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.push(env.fresh("group"), topic, "*");
        consumer.subscribe(topic, MessageSelector.bySql("a BETWEEN 10 AND 40 AND b IN ('Köln', 'Bonn') OR a > 55 AND b IS NULL"));
        consumer.registerMessageListener(inbox.concurrently());
        consumer.start();
        inbox.awaitExactly(wanted);
        for (int i = 0; i < 6; i++) {
            env.send(counted(topic, "late-" + i, 20, i % 2 == 0 ? "Köln" : "Kiel"));
        }
        wanted.addAll(List.of("late-0", "late-2", "late-4"));
        inbox.awaitExactly(wanted);
        return wanted.size() + " of 66 passed";
    }

    private static String badExpression(Env env) throws Exception {
        String topic = env.topic("badsql", 1);
        DefaultMQPushConsumer consumer = env.push(env.fresh("group"), topic, "*");
        consumer.subscribe(topic, MessageSelector.bySql("a > > 5"));
        consumer.registerMessageListener(new Inbox().concurrently());
        try {
            consumer.start();
        } catch (MQClientException e) {
            Check.equal(SUBSCRIPTION_PARSE_FAILED, e.getResponseCode(), "code of " + e.getMessage());
            Check.that(e.getErrorMessage() != null && e.getErrorMessage().contains(">"), "the place in " + e.getErrorMessage());
            return e.getErrorMessage();
        }
        throw new Check.Failure("a consumer with a broken expression has started", null);
    }

    /**
     * Sent and consumed with a trace; found by the message's id in the trace topic, as mqadmin queryMsgTraceById does. The clients live
     * until then: one that is shut down drops the traces it has not sent, and SubAfter comes after the listener's return. They are gone
     * before the next case: traces of one JVM leave through one hidden client, which ends with the last of its users.
     */
    private static String traced(Env env, String own) throws Exception {
        String topic = env.topic("traced", 1);
        DefaultMQProducer producer = env.configured(new DefaultMQProducer(env.fresh("producers"), true, own));
        DefaultMQPushConsumer consumer = env.configured(new DefaultMQPushConsumer(env.fresh("group"), true, own));
        try {
            producer.start();
            Message message = Env.message(topic, "traced");
            message.setKeys("order-7");
            SendResult sent = producer.send(message);
            Inbox inbox = new Inbox();
            consumer.subscribe(topic, "*");
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            consumer.registerMessageListener(inbox.concurrently());
            consumer.start();
            inbox.awaitExactly(List.of("traced"));
            String traceTopic = own == null ? TRACE_TOPIC : own;
            Set<String> kinds = new HashSet<>();
            try {
                Check.until("Pub, SubBefore and SubAfter of " + sent.getMsgId(), () -> {
                    kinds.addAll(tracesOf(env, traceTopic, sent.getMsgId()));
                    return kinds.containsAll(List.of("Pub", "SubBefore", "SubAfter"));
                });
            } catch (Check.Failure e) {
                throw new Check.Failure(e.getMessage() + "; found " + kinds, e);
            }
            return kinds + " in " + traceTopic;
        } finally {
            producer.shutdown();
            consumer.shutdown();
        }
    }

    /** Kinds of the traces of a message that the trace topic has. */
    private static Set<String> tracesOf(Env env, String traceTopic, String messageId) throws Exception {
        Set<String> kinds = new HashSet<>();
        long now = System.currentTimeMillis();
        for (String key : List.of(messageId, "order-7")) {
            for (MessageExt trace : env.producer().queryMessage(traceTopic, key, 64, now - MINUTE_MS, now + MINUTE_MS).getMessageList()) {
                for (String part : Env.body(trace).split("\u0002")) {
                    if (part.contains(messageId)) {
                        kinds.add(part.substring(0, part.indexOf('\u0001')));
                    }
                }
            }
        }
        return kinds;
    }

    private static String compressed(Env env, String type) throws Exception {
        String topic = env.topic("packed", 1);
        DefaultMQProducer producer = env.newProducer();
        Compat.compressWith(producer, type);
        producer.start();
        env.closeLater(producer::shutdown);
        List<String> bodies = new ArrayList<>();
        for (int size : new int[] {5_000, 300_000}) {
            String body = (type + " text ✓ ").repeat(size / 10);
            bodies.add(body);
            producer.send(Env.message(topic, body));
        }
        List<MessageExt> found = env.readBack(topic, 2);
        Check.equal(new HashSet<>(bodies), new HashSet<>(Env.bodies(found)), "bodies read");
        for (MessageExt message : found) {
            Check.that(message.getStoreSize() < message.getBody().length / 2, "stored in " + message.getStoreSize() + " bytes");
        }
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.push(env.fresh("group"), topic, "*");
        consumer.registerMessageListener(inbox.concurrently());
        consumer.start();
        inbox.awaitExactly(bodies);
        return type + ", " + found.get(1).getStoreSize() + " of " + found.get(1).getBody().length + " bytes";
    }

    private static String noWait(Env env) throws Exception {
        String topic = env.topic("nowait", 1);
        for (boolean wait : new boolean[] {false, true}) {
            Message message = Env.message(topic, "wait " + wait);
            message.setWaitStoreMsgOK(wait);
            env.send(message);
        }
        for (MessageExt message : env.readBack(topic, 2)) {
            Check.equal("wait " + message.isWaitStoreMsgOK(), Env.body(message), "WAIT of the message");
        }
        return "stored with WAIT=false and WAIT=true";
    }

    /** Names, values, tags and keys of many scripts; bodies of many encodings come back byte for byte. */
    private static String characterSets(Env env) throws Exception {
        String topic = env.topic("scripts", 1);
        String[] texts = {"größe ß", "Ελληνικά", "русский", "العربية ‏", "עברית", "हिन्दी", "中文繁體", "日本語ｶﾅ", "한국어", "ไทย", "e\u0301", "👩‍👩‍👧 𝄞", "\t tab"};
        Map<String, byte[]> bodies = new HashMap<>();
        for (int i = 0; i < texts.length; i++) {
            String text = texts[i];
            String charset = List.of("UTF-8", "UTF-16LE", "GB18030", "ISO-8859-1").get(i % 4);
            Message message = new Message(topic, text.getBytes(Charset.forName(charset)));
            message.setTags(text.trim());
            message.setKeys(text.replace(' ', '_').trim());
            message.putUserProperty("Имя" + i, text);
            message.putUserProperty("text", text);
            env.send(message);
            bodies.put(text, message.getBody());
        }
        List<MessageExt> found = env.readBack(topic, texts.length);
        for (int i = 0; i < texts.length; i++) {
            MessageExt message = found.get(i);
            Check.equal(texts[i], message.getUserProperty("text"), "property");
            Check.equal(texts[i], message.getUserProperty("Имя" + i), "property with a name in another script");
            Check.equal(texts[i].trim(), message.getTags(), "tags");
            Check.that(Arrays.equals(bodies.get(texts[i]), message.getBody()), "bytes of the body of " + texts[i]);
        }
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.push(env.fresh("group"), topic, "русский || 中文繁體");
        consumer.registerMessageListener(inbox.concurrently());
        consumer.start();
        Check.until("two by tag", () -> inbox.size() == 2);
        long now = System.currentTimeMillis();
        Check.until("found by a key in another script", () ->
            env.producer().queryMessage(topic, "中文繁體", 8, now - MINUTE_MS, now + MINUTE_MS).getMessageList().size() == 1);
        return texts.length + " scripts";
    }

    private static int queried(Env env, String topic, String key, long begin, long end) throws Exception {
        try {
            return env.producer().queryMessage(topic, key, 64, begin, end).getMessageList().size();
        } catch (MQClientException e) {
            return 0;
        }
    }

    /** Only messages whose store time lies in the range are found by their key; a time finds the place in the queue. */
    private static String timeRange(Env env) throws Exception {
        String topic = env.topic("ranges", 1);
        List<Long> stored = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            boolean isLast = i == 2;
            Message message = Env.message(topic, "r-" + i);
            message.setKeys("same");
            env.send(message);
            long sentAt = System.currentTimeMillis();
            Check.until("2 s gone by", () -> isLast || System.currentTimeMillis() > sentAt + 2 * INDEX_SECOND_MS);
        }
        for (MessageExt message : env.readBack(topic, 3)) {
            stored.add(message.getStoreTimestamp());
        }
        Check.until("all three indexed", () -> queried(env, topic, "same", stored.get(0) - INDEX_SECOND_MS, stored.get(2)) == 3);
        Check.equal(1, queried(env, topic, "same", stored.get(1) - INDEX_SECOND_MS, stored.get(1)), "around the second");
        Check.equal(2, queried(env, topic, "same", stored.get(1) - INDEX_SECOND_MS, Long.MAX_VALUE), "from the second on");
        Check.equal(0, queried(env, topic, "same", 0, stored.get(0) - INDEX_SECOND_MS - 1), "before the first");
        Check.equal(0, queried(env, topic, "same", stored.get(2) + 1, Long.MAX_VALUE), "after the last");
        MessageQueue queue = env.queues(topic).iterator().next();
        for (int i = 0; i < 3; i++) {
            Check.equal((long) i, env.producer().searchOffset(queue, stored.get(i)), "searchOffset of message " + i);
        }
        return "5 ranges, 3 times";
    }

    private static String onewayPushed(Env env) throws Exception {
        String topic = env.topic("fired", 2);
        List<String> sent = new ArrayList<>();
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.push(env.fresh("group"), topic, "*");
        consumer.registerMessageListener(inbox.concurrently());
        consumer.start();
        List<MessageQueue> queues = new ArrayList<>(env.queues(topic));
        for (int i = 0; i < 40; i++) {
            String body = "fired-" + i;
            sent.add(body);
            env.producer().sendOneway(Env.message(topic, body), queues.get(i % queues.size()));
        }
        inbox.awaitExactly(sent);
        return sent.size() + " pushed";
    }
}
