package perigee.interop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.exception.RequestTimeoutException;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Kinds of message: ordered, transactional, retried, requests. They want a broker that checks transactions every second
 * (transactionCheckInterval=1000, transactionTimeOut=500) and a client that rebalances every second; `all` leaves them out.
 */
final class KindCases {
    private static final int ORDERS = 6;
    private static final long REQUEST_MS = 10_000;
    /** For nobody's answer: the request itself must leave in this time. */
    private static final long NOBODY_MS = 3_000;
    private static final int ROUTES_MS = 1_000;
    /** Open transactions are asked about every second: more than two rounds. */
    private static final long CHECKS_MS = 2_500;

    private KindCases() {
    }

    static void register(Map<String, Driver.Case> cases) {
        cases.put("order-partial", KindCases::partialOrder);
        cases.put("order-global", KindCases::globalOrder);
        cases.put("order-rebalance", KindCases::orderOverRebalance);
        cases.put("order-suspend", KindCases::suspendedQueue);
        cases.put("tx-commit-rollback", KindCases::committedAndRolledBack);
        cases.put("tx-check", KindCases::checkedBack);
        cases.put("tx-exception", KindCases::failedLocally);
        cases.put("retry-dlq", KindCases::retriedThenDead);
        cases.put("retry-own-delay", KindCases::ownDelay);
        cases.put("retry-orderly-dlq", KindCases::orderlyThenDead);
        cases.put("request-reply", KindCases::requestReply);
        cases.put("request-nobody", KindCases::requestWithoutReply);
    }

    /** Sends `count` numbered messages of each order, round the orders; bodies order:number. */
    private static List<String> sendOrders(Env env, String topic, int from, int count) throws Exception {
        List<String> sent = new ArrayList<>();
        for (int i = from; i < from + count; i++) {
            for (int order = 0; order < ORDERS; order++) {
                String body = "order" + order + ":" + i;
                env.producer().send(Env.message(topic, body), SendCases.byHash(), "order" + order);
                sent.add(body);
            }
        }
        return sent;
    }

    /** Numbers of each order come without a step back, but for repetitions of what came before. */
    private static int checkOrders(List<String> bodies) {
        Map<String, Integer> last = new HashMap<>();
        int repeated = 0;
        for (String body : bodies) {
            String[] parts = body.split(":");
            int number = Integer.parseInt(parts[1]);
            int before = last.getOrDefault(parts[0], -1);
            if (number <= before) {
                repeated++;
                continue;
            }
            Check.equal(before + 1, number, "next of " + parts[0]);
            last.put(parts[0], number);
        }
        return repeated;
    }

    /** A new group's retry topic is made by its first heartbeat; the client learns of it when it asks for routes again. */
    private static DefaultMQPushConsumer push(Env env, String group, String topic, String expression) throws Exception {
        DefaultMQPushConsumer consumer = env.push(group, topic, expression);
        consumer.setPollNameServerInterval(ROUTES_MS);
        return consumer;
    }

    private static DefaultMQPushConsumer orderly(Env env, String group, String topic, Inbox inbox) throws Exception {
        DefaultMQPushConsumer consumer = push(env, group, topic, "*");
        consumer.registerMessageListener(inbox.orderly());
        consumer.start();
        return consumer;
    }

    private static String partialOrder(Env env) throws Exception {
        String topic = env.topic("partial", 4);
        Inbox inbox = new Inbox();
        orderly(env, env.fresh("group"), topic, inbox);
        inbox.awaitExactly(sendOrders(env, topic, 0, 30));
        Check.equal(0, checkOrders(inbox.bodies()), "repeated");
        return ORDERS + " orders of 30 in order";
    }

    private static String globalOrder(Env env) throws Exception {
        String topic = env.topic("global", 1);
        Inbox inbox = new Inbox();
        orderly(env, env.fresh("group"), topic, inbox);
        List<String> sent = env.sendMany(topic, "g", 120);
        inbox.awaitExactly(sent);
        Check.equal(sent, inbox.bodies(), "order");
        return "120 in the order sent";
    }

    private static String orderOverRebalance(Env env) throws Exception {
        String topic = env.topic("handover", 4);
        String group = env.fresh("group");
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer stays = orderly(env, group, topic, inbox);
        Inbox.awaitQueues(stays, 4);
        List<String> sent = sendOrders(env, topic, 0, 20);
        DefaultMQPushConsumer joins = orderly(env, group, topic, inbox);
        sent.addAll(sendOrders(env, topic, 20, 20));
        Check.until("queues shared", () -> Inbox.queuesHeld(stays) == 2 && Inbox.queuesHeld(joins) == 2);
        sent.addAll(sendOrders(env, topic, 40, 20));
        inbox.awaitAll(sent);
        joins.shutdown();
        sent.addAll(sendOrders(env, topic, 60, 20));
        Inbox.awaitQueues(stays, 4);
        inbox.awaitAll(sent);
        return sent.size() + " in order over join and leave, " + checkOrders(inbox.bodies()) + " repeated";
    }

    private static String suspendedQueue(Env env) throws Exception {
        String topic = env.topic("suspended", 1);
        Inbox inbox = new Inbox();
        int[] refusals = {3};
        DefaultMQPushConsumer consumer = push(env, env.fresh("group"), topic, "*");
        consumer.setSuspendCurrentQueueTimeMillis(100);
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            if (Env.body(messages.get(0)).equals("s-2") && refusals[0]-- > 0) {
                return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
            }
            inbox.add(messages);
            return ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        List<String> sent = env.sendMany(topic, "s", 10);
        inbox.awaitExactly(sent);
        Check.equal(sent, inbox.bodies(), "order");
        Check.equal(3, inbox.messages().get(2).getReconsumeTimes(), "times the third was tried before");
        return "the queue waited for its third message";
    }

    /** A transactional producer whose local transactions, and later checks, end as the maps say (by body). */
    private static TransactionMQProducer transactional(Env env, Map<String, LocalTransactionState> first,
        Map<String, LocalTransactionState> later, Inbox checked) throws Exception {
        TransactionMQProducer producer = env.configured(new TransactionMQProducer(env.fresh("transactional")));
        producer.setSendMsgTimeout(10_000);
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                LocalTransactionState state = first.get(Env.body(message));
                if (state == null) {
                    throw new IllegalStateException("the local transaction failed");
                }
                return state;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                checked.add(List.of(message));
                return later.getOrDefault(Env.body(message), LocalTransactionState.UNKNOW);
            }
        });
        producer.start();
        env.closeLater(producer::shutdown);
        return producer;
    }

    private static void sendTransaction(TransactionMQProducer producer, String topic, String body) throws Exception {
        Message message = Env.message(topic, body);
        message.setKeys(body);
        TransactionSendResult result = producer.sendMessageInTransaction(message, null);
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status of the half message");
        Check.equal(result.getMsgId(), result.getTransactionId(), "transaction id");
    }

    private static String committedAndRolledBack(Env env) throws Exception {
        String topic = env.topic("ended", 4);
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = push(env, env.fresh("group"), topic, "*");
        consumer.registerMessageListener(inbox.concurrently());
        consumer.start();
        Map<String, LocalTransactionState> states = new HashMap<>();
        List<String> committed = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            states.put("tx-" + i, i % 2 == 0 ? LocalTransactionState.COMMIT_MESSAGE : LocalTransactionState.ROLLBACK_MESSAGE);
        }
        Inbox checked = new Inbox();
        TransactionMQProducer producer = transactional(env, states, Map.of(), checked);
        for (int i = 0; i < 40; i++) {
            sendTransaction(producer, topic, "tx-" + i);
            if (i % 2 == 0) {
                committed.add("tx-" + i);
            }
        }
        inbox.awaitExactly(committed);
        for (MessageExt message : inbox.messages()) {
            Check.equal(message.getMsgId(), message.getTransactionId(), "transaction id of " + Env.body(message));
            Check.that(message.getPreparedTransactionOffset() >= 0, "offset of the half message");
        }
        // One that was slow to end may have been asked about meanwhile; none is once it has ended.
        Check.quiet("nobody is asked about ended transactions", checked, CHECKS_MS);
        Check.equal(20, env.readBack(topic, 20).size(), "messages stored");
        return "20 committed, 20 rolled back";
    }

    private static String checkedBack(Env env) throws Exception {
        String topic = env.topic("checked", 4);
        Map<String, LocalTransactionState> unknown = new HashMap<>();
        Map<String, LocalTransactionState> later = new ConcurrentHashMap<>();
        for (int i = 0; i < 6; i++) {
            unknown.put("tx-" + i, LocalTransactionState.UNKNOW);
        }
        Inbox checked = new Inbox();
        TransactionMQProducer producer = transactional(env, unknown, later, checked);
        for (int i = 0; i < 6; i++) {
            sendTransaction(producer, topic, "tx-" + i);
        }
        checked.awaitAll(unknown.keySet());
        MessageExt asked = checked.messages().get(0);
        Check.equal(topic, asked.getTopic(), "topic of the message that was asked about");
        Check.equal(asked.getProperty("UNIQ_KEY"), asked.getTransactionId(), "its transaction id");
        Check.equal(0, env.readAll(topic).size(), "visible before they end");
        for (int i = 0; i < 6; i++) {
            later.put("tx-" + i, i < 3 ? LocalTransactionState.COMMIT_MESSAGE : LocalTransactionState.ROLLBACK_MESSAGE);
        }
        List<MessageExt> stored = env.readBack(topic, 3);
        Check.equal(List.of("tx-0", "tx-1", "tx-2"), Env.bodies(stored).stream().sorted().toList(), "committed");
        int checks = checked.size();
        Check.quiet("nobody is asked any more", checked, CHECKS_MS);
        Check.equal(3, env.readAll(topic).size(), "messages in the end");
        return checks + " checks for 6 transactions";
    }

    /** The local transaction throws: the client says "unknown", the check decides. */
    private static String failedLocally(Env env) throws Exception {
        String topic = env.topic("failed", 1);
        Inbox checked = new Inbox();
        TransactionMQProducer producer =
            transactional(env, Map.of(), Map.of("tx", LocalTransactionState.ROLLBACK_MESSAGE), checked);
        sendTransaction(producer, topic, "tx");
        checked.awaitAll(List.of("tx"));
        Check.quiet("nobody is asked any more", checked, CHECKS_MS);
        Check.equal(0, env.readAll(topic).size(), "messages");
        return "asked after an exception, and rolled back";
    }

    /** What is in the dead-letter queue of a group. */
    private static List<MessageExt> deadLetters(Env env, String group, int count) throws Exception {
        List<MessageExt> found = new ArrayList<>();
        Check.until(count + " dead letters", () -> {
            found.clear();
            found.addAll(env.readAll("%DLQ%" + group));
            return found.size() >= count;
        });
        return found;
    }

    private static String retriedThenDead(Env env) throws Exception {
        String topic = env.topic("retried", 2);
        String group = env.fresh("group");
        Inbox tries = new Inbox();
        DefaultMQPushConsumer consumer = push(env, group, topic, "*");
        consumer.setMaxReconsumeTimes(2);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            tries.add(messages);
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        consumer.start();
        String id = env.send(Env.message(topic, "poison")).getMsgId();
        MessageExt dead = deadLetters(env, group, 1).get(0);
        Check.equal(3, tries.size(), "tries");
        for (int i = 0; i < 3; i++) {
            MessageExt one = tries.messages().get(i);
            Check.equal(i, one.getReconsumeTimes(), "reconsumeTimes");
            Check.equal(topic, one.getTopic(), "topic that the listener sees");
            Check.equal(id, one.getMsgId(), "id that the listener sees");
        }
        Check.equal("poison", Env.body(dead), "dead letter");
        Check.equal(topic, dead.getProperty("RETRY_TOPIC"), "where it came from");
        Check.equal(Env.offsetId(tries.messages().get(0)), dead.getProperty("ORIGIN_MESSAGE_ID"), "its first id");
        return "3 tries, then a dead letter";
    }

    private static String ownDelay(Env env) throws Exception {
        String topic = env.topic("own-delay", 1);
        String group = env.fresh("group");
        Inbox tries = new Inbox();
        DefaultMQPushConsumer consumer = push(env, group, topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            tries.add(messages);
            if (messages.get(0).getReconsumeTimes() > 0) {
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
            context.setDelayLevelWhenNextConsume(Env.body(messages.get(0)).equals("drop") ? -1 : 2);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        consumer.start();
        env.send(Env.message(topic, "drop"));
        env.send(Env.message(topic, "again"));
        Check.equal("drop", Env.body(deadLetters(env, group, 1).get(0)), "dead letter of level -1");
        Check.until("the second came again", () -> tries.bodies().stream().filter("again"::equals).count() == 2);
        List<MessageExt> again = tries.messages().stream().filter(m -> Env.body(m).equals("again")).toList();
        long waited = again.get(1).getStoreTimestamp() - again.get(0).getStoreTimestamp();
        Check.that(waited >= 2_000 && waited < 10_000, "level 2 took " + waited + " ms");
        return "level 2 took " + waited + " ms";
    }

    private static String orderlyThenDead(Env env) throws Exception {
        String topic = env.topic("orderly-dead", 1);
        String group = env.fresh("group");
        Inbox done = new Inbox();
        DefaultMQPushConsumer consumer = push(env, group, topic, "*");
        consumer.setMaxReconsumeTimes(2);
        consumer.setSuspendCurrentQueueTimeMillis(50);
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            if (Env.body(messages.get(0)).equals("o-1")) {
                return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
            }
            done.add(messages);
            return ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        env.sendMany(topic, "o", 4);
        MessageExt dead = deadLetters(env, group, 1).get(0);
        Check.equal("o-1", Env.body(dead), "dead letter");
        done.awaitExactly(List.of("o-0", "o-2", "o-3"));
        Check.equal(List.of("o-0", "o-2", "o-3"), done.bodies(), "order of the others");
        return "the queue went on after its dead letter";
    }

    private static String requestReply(Env env) throws Exception {
        String topic = env.topic("request", 2);
        DefaultMQPushConsumer consumer = push(env, env.fresh("group"), topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                try {
                    Message reply = MessageUtil.createReplyMessage(message, ("re: " + Env.body(message)).getBytes("UTF-8"));
                    env.producer().send(reply, 5_000);
                } catch (Exception e) {
                    e.printStackTrace();
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        Inbox.awaitQueues(consumer, env.queues(topic).size());
        for (int i = 0; i < 10; i++) {
            Message reply = env.producer().request(Env.message(topic, "question " + i), REQUEST_MS);
            Check.equal("re: question " + i, Env.body(reply), "reply");
        }
        return "10 questions answered";
    }

    private static String requestWithoutReply(Env env) throws Exception {
        String topic = env.topic("nobody", 1);
        try {
            env.producer().request(Env.message(topic, "anybody?"), NOBODY_MS);
        } catch (RequestTimeoutException e) {
            return "timed out as it must";
        }
        throw new Check.Failure("a request that nobody answers was answered", null);
    }
}
