package perigee.interop;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.AckResult;
import org.apache.rocketmq.client.consumer.AckStatus;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageRequestMode;
import org.apache.rocketmq.remoting.protocol.body.GetLiteTopicInfoResponseBody;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;

/** Priorities and lite topics. They want a broker with enableLmq and enableMultiDispatch; `all` leaves them out. */
final class NewCases {
    private static final long ADMIN_MS = 10_000;
    private static final int INVISIBLE_MS = 60_000;
    private static final int RANKS = 4;

    private NewCases() {
    }

    static void register(Map<String, Driver.Case> cases) {
        cases.put("priority-pop", env -> priority(env, false));
        cases.put("priority-ascending", NewCases::ascending);
        cases.put("lite-topics", NewCases::liteTopics);
        cases.put("lite-exclusive", NewCases::liteExclusive);
    }

    private static String typedTopic(Env env, String label, int queues, Map<String, String> attributes) throws Exception {
        String topic = env.fresh(label);
        TopicConfig config = new TopicConfig(topic, queues, queues, Env.READ | Env.WRITE);
        config.setAttributes(attributes);
        for (String address : env.masters().values()) {
            env.api().createTopic(address, "TBW102", config, ADMIN_MS);
        }
        Check.until("route of " + topic, () -> Compat.routeBrokers(env.api(), topic) == env.masters().size());
        return topic;
    }

    private static String typedGroup(Env env, Map<String, String> attributes) throws Exception {
        SubscriptionGroupConfig config = new SubscriptionGroupConfig();
        config.setGroupName(env.fresh("group"));
        config.setAttributes(attributes);
        for (String address : env.masters().values()) {
            env.api().createSubscriptionGroup(address, config, ADMIN_MS);
        }
        return config.getGroupName();
    }

    /**
     * Messages of seven priorities lie in four queues when a push consumer comes whose group pops: its first pop brings them from
     * the highest queue down, each queue in the order sent; a single thread hands them over in that order.
     */
    private static String priority(Env env, boolean lowestFirst) throws Exception {
        String topic = typedTopic(env, "ranked", RANKS, Map.of("+message.type", "PRIORITY"));
        String group = typedGroup(env, Map.of());
        for (String address : env.masters().values()) {
            env.api().setMessageRequestMode(address, topic, group, MessageRequestMode.POP, 0, ADMIN_MS);
        }
        List<String> sent = new ArrayList<>();
        int[] priorities = {1, 3, 0, 2, 9, 1, 3, 0, 4, 2, 2, 0};
        for (int i = 0; i < priorities.length; i++) {
            Message message = Env.message(topic, "p-" + i);
            message.setPriority(priorities[i]);
            SendResult result = env.send(message);
            int rank = Math.min(priorities[i], RANKS - 1);
            Check.equal(rank, result.getMessageQueue().getQueueId(), "queue of priority " + priorities[i]);
            sent.add(rank + " p-" + i);
        }
        env.readBack(topic, priorities.length);
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = env.push(group, topic, "*");
        consumer.setConsumeThreadMin(1);
        consumer.setConsumeThreadMax(1);
        Compat.assignedByBroker(consumer, INVISIBLE_MS);
        consumer.registerMessageListener(inbox.concurrently());
        consumer.start();
        Check.until("all came", () -> inbox.size() >= sent.size());
        for (MessageExt message : inbox.messages()) {
            Check.that(message.getProperty("POP_CK") != null, Env.body(message) + " was not popped");
            int at = Integer.parseInt(Env.body(message).substring("p-".length()));
            Check.equal(priorities[at], message.getPriority(), "priority of " + Env.body(message));
        }
        Comparator<String> byRank = Comparator.comparing(line -> line.charAt(0));
        sent.sort(lowestFirst ? byRank : byRank.reversed());
        List<String> bodies = sent.stream().map(line -> line.substring("0 ".length())).toList();
        Check.equal(bodies, inbox.bodies(), "order");
        return String.join(" ", sent);
    }

    private static String ascending(Env env) throws Exception {
        env.setBrokerConfig("priorityOrderAsc", "false");
        try {
            return priority(env, true);
        } finally {
            env.setBrokerConfig("priorityOrderAsc", "true");
        }
    }

    private static void sendLite(Env env, String topic, String lite, String... bodies) throws Exception {
        for (String body : bodies) {
            Message message = Env.message(topic, body);
            MessageAccessor.setLiteTopic(message, lite);
            env.send(message);
        }
    }

    private static String parent(Env env) throws Exception {
        return typedTopic(env, "chat", 2, Map.of("+message.type", "LITE", "+lite.topic.expiration", "60"));
    }

    /** Two clients share a group, each with its own lite topics: delivery, order, acknowledgements, what comes again, leaving. */
    private static String liteTopics(Env env) throws Exception {
        String topic = parent(env);
        String group = typedGroup(env, Map.of("+lite.bind.topic", topic));
        LiteClient ann = new LiteClient(env, topic, group);
        LiteClient bob = new LiteClient(env, topic, group);
        ann.subscribe("room-1");
        bob.subscribe("room-2");
        sendLite(env, topic, "room-1", "a-0", "a-1", "a-2");
        sendLite(env, topic, "room-2", "b-0", "b-1");
        sendLite(env, topic, "room-3", "nobody's");
        List<MessageExt> first = ann.popped(3);
        Check.equal(List.of("a-0", "a-1", "a-2"), Env.bodies(first), "messages of room-1");
        for (int i = 0; i < first.size(); i++) {
            MessageExt message = first.get(i);
            Check.equal("room-1 " + i + " 0", message.getProperty("__LITE_TOPIC") + " " + message.getQueueOffset() + " "
                + message.getReconsumeTimes(), "lite topic, offset and count of " + Env.body(message));
        }
        Check.equal(List.of("b-0", "b-1"), Env.bodies(bob.popped(2)), "messages of room-2");

        sendLite(env, topic, "room-1", "a-3");
        Check.equal(List.of(), Env.bodies(ann.pop(1_000)), "messages of a lite topic whose batch is out");
        for (MessageExt message : first) {
            AckResult result = ann.ack(message);
            Check.equal(AckStatus.OK, result.getStatus(), "acknowledgement of " + Env.body(message));
        }
        MessageExt fourth = ann.popped(1).get(0);
        Check.equal("a-3 3 0", Env.body(fourth) + " " + fourth.getQueueOffset() + " " + fourth.getReconsumeTimes(), "what waited");
        ann.comesAgain(fourth, 1_000);
        MessageExt again = ann.popped(1).get(0);
        Check.equal("a-3 3 1", Env.body(again) + " " + again.getQueueOffset() + " " + again.getReconsumeTimes(), "what came again");
        Check.equal(AckStatus.OK, ann.ack(again).getStatus(), "its acknowledgement");

        var held = ann.hold(20_000);
        long sentAt = System.nanoTime();
        sendLite(env, topic, "room-1", "a-4");
        List<MessageExt> woken = held.get();
        Check.equal(List.of("a-4"), Env.bodies(woken), "what a held pop brings");
        Check.that(System.nanoTime() - sentAt < 15_000_000_000L, "the pop was held to its end");
        Check.equal(AckStatus.OK, ann.ack(woken.get(0)).getStatus(), "its acknowledgement");

        // Takes what the broker still has to tell: Apache gives even a client that has left what it was to be told of.
        Check.equal(List.of(), Env.bodies(ann.pop(500)), "messages that nobody sent");
        ann.unsubscribe("room-1");
        sendLite(env, topic, "room-1", "a-5");
        Check.equal(List.of(), Env.bodies(ann.pop(1_000)), "messages of a lite topic that was left");
        bob.subscribe("room-1");
        Check.equal(List.of("a-5"), Env.bodies(bob.popped(1)), "what the other one gets then");
        String address = env.masters().values().iterator().next();
        GetLiteTopicInfoResponseBody info = env.api().getLiteTopicInfo(address, topic, "room-1", ADMIN_MS);
        Check.equal(List.of(bob.id), info.getSubscriber().stream().map(one -> one.clientId).toList(), "subscribers of room-1");
        Check.equal(6L, info.getTopicOffset().getMaxOffset(), "messages of room-1");
        return "8 messages of 3 lite topics, 1 twice";
    }

    /** In an exclusive group the last one to subscribe has the lite topic, and the one before is told. */
    private static String liteExclusive(Env env) throws Exception {
        String topic = parent(env);
        String group = typedGroup(env, Map.of("+lite.bind.topic", topic, "+lite.sub.model", "Exclusive"));
        LiteClient ann = new LiteClient(env, topic, group);
        LiteClient bob = new LiteClient(env, topic, group);
        ann.subscribe("desk");
        sendLite(env, topic, "desk", "first");
        Check.equal(AckStatus.OK, ann.ack(ann.popped(1).get(0)).getStatus(), "acknowledgement");
        bob.subscribe("desk");
        Check.until("the first one was told", () -> ann.told.contains(group + " desk " + ann.id));
        sendLite(env, topic, "desk", "second");
        Check.equal(List.of("second"), Env.bodies(bob.popped(1)), "messages of the second client");
        Check.equal(List.of(), Env.bodies(ann.pop(1_000)), "messages of the first one");
        Check.equal(List.of(), List.copyOf(bob.told), "what the second one was told");
        return "taken over by the second client";
    }
}
