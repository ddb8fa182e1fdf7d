package perigee.interop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.UtilAll;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Push consumers: models, order, rebalance, filters, namespaces, where a new group begins. */
final class PushCases {
    /** Share of memory within which a broker calls a message "in memory"; 40 is Apache's default. */
    private static final String MEMORY_RATIO = "accessMessageInMemoryMaxRatio";

    private PushCases() {
    }

    static void register(Map<String, Driver.Case> cases) {
        cases.put("push-concurrent", PushCases::concurrent);
        cases.put("push-orderly", PushCases::orderly);
        cases.put("push-offsets-kept", PushCases::offsetsKept);
        cases.put("push-rebalance", PushCases::rebalance);
        cases.put("push-broadcast", PushCases::broadcast);
        cases.put("push-tags", PushCases::tags);
        cases.put("namespace", PushCases::namespace);
        cases.put("namespace-v2", PushCases::namespaceV2);
        cases.put("from-new-topic", PushCases::fromNewTopic);
        cases.put("from-first", env -> fromFirst(env, true));
        cases.put("from-last", env -> fromLast(env, true));
        cases.put("from-timestamp", env -> fromTimestamp(env, true));
        cases.put("from-first-clustering", env -> withoutMemoryRule(env, e -> fromFirst(e, false)));
        cases.put("from-last-clustering", env -> withoutMemoryRule(env, e -> fromLast(e, false)));
        cases.put("from-timestamp-clustering", env -> withoutMemoryRule(env, e -> fromTimestamp(e, false)));
    }

    private static Inbox listen(DefaultMQPushConsumer consumer) throws Exception {
        Inbox inbox = new Inbox();
        consumer.registerMessageListener(inbox.concurrently());
        consumer.start();
        return inbox;
    }

    private static String concurrent(Env env) throws Exception {
        String topic = env.topic("concurrent", 4);
        List<String> sent = env.sendMany(topic, "before", 50);
        Inbox inbox = listen(env.push(env.fresh("group"), topic, "*"));
        sent.addAll(env.sendMany(topic, "after", 150));
        inbox.awaitExactly(sent);
        return "200 messages";
    }

    private static String orderly(Env env) throws Exception {
        String topic = env.topic("orderly", 4);
        DefaultMQPushConsumer consumer = env.push(env.fresh("group"), topic, "*");
        Inbox inbox = new Inbox();
        consumer.registerMessageListener(inbox.orderly());
        consumer.start();
        List<String> sent = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            String body = "order-" + i % 9 + ":" + i;
            env.producer().send(Env.message(topic, body), SendCases.byHash(), "order-" + i % 9);
            sent.add(body);
        }
        inbox.awaitExactly(sent);
        Map<String, Long> last = new HashMap<>();
        for (MessageExt message : inbox.messages()) {
            String queue = message.getBrokerName() + "/" + message.getQueueId();
            long expected = last.getOrDefault(queue, -1L) + 1;
            Check.equal(expected, message.getQueueOffset(), "next offset of queue " + queue);
            last.put(queue, expected);
        }
        return "200 messages in order in " + last.size() + " queues";
    }

    private static String offsetsKept(Env env) throws Exception {
        String topic = env.topic("kept", 4);
        String group = env.fresh("group");
        DefaultMQPushConsumer first = env.push(group, topic, "*");
        Inbox inbox = listen(first);
        inbox.awaitExactly(env.sendMany(topic, "one", 40));
        Check.until("positions committed", () -> Commands.isCommitted(first));
        first.shutdown();
        List<String> later = env.sendMany(topic, "two", 20);
        listen(env.push(group, topic, "*")).awaitExactly(later);
        return "second consumer began where the first one ended";
    }

    private static String rebalance(Env env) throws Exception {
        String topic = env.topic("rebalance", 8);
        String group = env.fresh("group");
        int queues = env.queues(topic).size();
        Inbox all = new Inbox();
        DefaultMQPushConsumer stays = env.push(group, topic, "*");
        stays.registerMessageListener(all.concurrently());
        stays.start();
        Inbox.awaitQueues(stays, queues);
        List<String> sent = env.sendMany(topic, "alone", 80);
        DefaultMQPushConsumer joins = env.push(group, topic, "*");
        Inbox ofJoined = new Inbox();
        joins.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            ofJoined.add(messages);
            return all.concurrently().consumeMessage(messages, context);
        });
        joins.start();
        Check.until("queues shared", () -> Inbox.queuesHeld(stays) == queues / 2 && Inbox.queuesHeld(joins) == queues / 2);
        sent.addAll(env.sendMany(topic, "shared", 160));
        all.awaitAll(sent);
        // Half of them on one broker; over several, brokers may not know the new consumer at the same moment.
        int share = (int) ofJoined.bodies().stream().filter(body -> body.startsWith("shared")).distinct().count();
        Check.that(share >= 40, "the second consumer got only " + share + " of 160 messages");
        sent.addAll(env.sendMany(topic, "leaving", 40));
        joins.shutdown();
        Inbox.awaitQueues(stays, queues);
        sent.addAll(env.sendMany(topic, "alone again", 80));
        all.awaitAll(sent);
        Check.equal(new HashSet<>(sent), new HashSet<>(all.bodies()), "bodies");
        return sent.size() + " sent, " + (all.size() - sent.size()) + " delivered twice, " + share + " to the second";
    }

    private static String broadcast(Env env) throws Exception {
        String topic = env.topic("broadcast", 4);
        String group = env.fresh("group");
        int queues = env.queues(topic).size();
        List<Inbox> inboxes = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            DefaultMQPushConsumer consumer = env.push(group, topic, "*");
            Compat.broadcast(consumer);
            inboxes.add(listen(consumer));
            Inbox.awaitQueues(consumer, queues);
        }
        List<String> sent = env.sendMany(topic, "all", 60);
        for (Inbox inbox : inboxes) {
            inbox.awaitExactly(sent);
        }
        return "both consumers saw all 60";
    }

    /** "BB" has the hash code of "Aa": a broker that filters by hash lets it pass, the client must not. */
    private static String tags(Env env) throws Exception {
        String topic = env.topic("tags", 2);
        List<String> wanted = new ArrayList<>();
        String[] tags = {"TagA", "TagB", "TagC", "Aa", "BB", null};
        for (int i = 0; i < 60; i++) {
            String tag = tags[i % tags.length];
            String body = tag + "-" + i;
            Message message = Env.message(topic, body);
            if (tag != null) {
                message.setTags(tag);
            }
            env.send(message);
            if (i % tags.length < 2 || "Aa".equals(tag)) {
                wanted.add(body);
            }
        }
        Inbox inbox = listen(env.push(env.fresh("group"), topic, "TagA || TagB || Aa"));
        inbox.awaitExactly(wanted);
        Message last = Env.message(topic, "last");
        last.setTags("TagA");
        env.send(last);
        wanted.add("last");
        inbox.awaitExactly(wanted);
        return wanted.size() + " of 61 passed";
    }

    @SuppressWarnings("deprecation")
    private static String namespace(Env env) throws Exception {
        String namespace = "MQ_INST_interop";
        String topic = env.fresh("namespaced");
        env.topic(namespace + "%" + topic, 4, 4, Env.READ | Env.WRITE);
        DefaultMQProducer producer = env.newProducer();
        producer.setNamespace(namespace);
        producer.start();
        env.closeLater(producer::shutdown);
        DefaultMQPushConsumer consumer = env.configured(new DefaultMQPushConsumer(env.fresh("group")));
        consumer.setNamespace(namespace);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        env.closeLater(consumer::shutdown);
        Inbox inbox = listen(consumer);
        List<String> sent = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            sent.add("ns-" + i);
            Check.equal(topic, producer.send(Env.message(topic, "ns-" + i)).getMessageQueue().getTopic(), "topic in the reply");
        }
        inbox.awaitExactly(sent);
        Check.equal(topic, inbox.messages().get(0).getTopic(), "topic seen inside the namespace");
        Check.equal(20, env.readBack(namespace + "%" + topic, 20).size(), "messages seen from outside");
        return "20 messages through " + namespace;
    }

    private static String namespaceV2(Env env) throws Exception {
        String topic = env.topic("namespace-v2", 2);
        DefaultMQProducer producer = env.newProducer();
        Compat.namespaceV2(producer, "interop");
        producer.start();
        env.closeLater(producer::shutdown);
        DefaultMQPushConsumer consumer = env.push(env.fresh("group"), topic, "*");
        Compat.namespaceV2(consumer, "interop");
        Inbox inbox = listen(consumer);
        List<String> sent = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            sent.add("ns-" + i);
            producer.send(Env.message(topic, "ns-" + i));
        }
        inbox.awaitExactly(sent);
        return "20 messages with the namespace fields on every request";
    }

    /** Apache starts a new group at 0 while message 0 is in memory, whatever the client asked for. */
    private static String fromNewTopic(Env env) throws Exception {
        String topic = env.topic("new-topic", 2);
        List<String> sent = env.sendMany(topic, "old", 20);
        DefaultMQPushConsumer consumer = env.push(env.fresh("group"), topic, "*");
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET);
        Inbox inbox = listen(consumer);
        inbox.awaitExactly(sent);
        return "CONSUME_FROM_LAST_OFFSET began at 0, as Apache does on a small topic";
    }

    /** Runs a case while no message counts as "in memory", so that the client's choice decides. */
    private static String withoutMemoryRule(Env env, Driver.Case inner) throws Exception {
        env.setBrokerConfig(MEMORY_RATIO, "0");
        try {
            String topic = env.topic("probe", 1);
            env.readBack(topic, env.sendMany(topic, "m", 1).size());
            if (env.reader().fetchConsumeOffset(env.queues(topic).iterator().next(), true) >= 0) {
                throw new Check.Skip("this broker answers 0 for a new group whatever " + MEMORY_RATIO + " says");
            }
            return inner.run(env);
        } finally {
            env.setBrokerConfig(MEMORY_RATIO, "40");
        }
    }

    /** Broadcasting keeps offsets at the client: there its choice decides on every broker. */
    private static DefaultMQPushConsumer beginner(Env env, String topic, ConsumeFromWhere where, boolean broadcast) throws Exception {
        DefaultMQPushConsumer consumer = env.push(env.fresh("group"), topic, "*");
        consumer.setConsumeFromWhere(where);
        if (broadcast) {
            Compat.broadcast(consumer);
        }
        return consumer;
    }

    private static String fromFirst(Env env, boolean broadcast) throws Exception {
        String topic = env.topic("first", 2);
        List<String> sent = env.sendMany(topic, "old", 20);
        Inbox inbox = listen(beginner(env, topic, ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET, broadcast));
        sent.addAll(env.sendMany(topic, "new", 20));
        inbox.awaitExactly(sent);
        return "old and new";
    }

    private static String fromLast(Env env, boolean broadcast) throws Exception {
        String topic = env.topic("last", 2);
        env.readBack(topic, env.sendMany(topic, "old", 20).size());
        DefaultMQPushConsumer consumer = beginner(env, topic, ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET, broadcast);
        Inbox inbox = listen(consumer);
        Inbox.awaitQueues(consumer, env.queues(topic).size());
        inbox.awaitExactly(env.sendMany(topic, "new", 20));
        return "only what came later";
    }

    /** consumeTimestamp has whole seconds, so the old messages lie at least one second before it. */
    private static String fromTimestamp(Env env, boolean broadcast) throws Exception {
        String topic = env.topic("timestamp", 2);
        env.readBack(topic, env.sendMany(topic, "old", 20).size());
        long second = (System.currentTimeMillis() / 1_000 + 1) * 1_000;
        Check.until("the next whole second", () -> System.currentTimeMillis() > second + 20);
        List<String> later = env.sendMany(topic, "new", 20);
        env.readBack(topic, 40);
        DefaultMQPushConsumer consumer = beginner(env, topic, ConsumeFromWhere.CONSUME_FROM_TIMESTAMP, broadcast);
        consumer.setConsumeTimestamp(UtilAll.timeMillisToHumanString3(second));
        Inbox inbox = listen(consumer);
        later.addAll(env.sendMany(topic, "newest", 10));
        inbox.awaitExactly(later);
        return "from the second " + UtilAll.timeMillisToHumanString3(second) + " on";
    }
}
