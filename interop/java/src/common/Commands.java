package perigee.interop;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.consumer.store.OffsetStore;
import org.apache.rocketmq.client.consumer.store.ReadOffsetType;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.impl.consumer.DefaultMQPushConsumerImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Parameterised commands, for tests that restart servers or mix brokers. */
final class Commands {
    /** How long one message of "produce" is retried: longer than a broker restart. */
    private static final long RETRY_MS_MAX = 30_000;
    /** "consume" ends when it has what it waits for and nothing more came for this long. */
    private static final long QUIET_MS = 500;
    /** "query" looks this far to both sides of now. */
    private static final long HOUR_MS = 3_600_000;
    private static final int MAX_FOUND = 64;
    private static final int QUERY_NOT_FOUND = 22;
    private static final int SLOW_THREADS = 8;
    private static final long SLOW_EXTRA_MS = 1_000;

    private Commands() {
    }

    /** True when the name is a command; prints its lines and a closing line with "command". */
    static boolean has(String name) {
        return Set.of("topic", "produce", "consume", "readAll", "query", "view", "offsets", "hold", "sendBatch", "sendWith", "readLight", "transact",
            "watch", "watchPop")
            .contains(name);
    }

    static boolean run(Env env, String[] args, PrintStream out) throws Exception {
        return switch (args[0]) {
            case "topic" -> topic(env, args, out);
            case "produce" -> produce(env, args, out);
            case "consume" -> consume(env, args, out);
            case "readAll" -> readAll(env, args, out);
            case "query" -> query(env, args, out);
            case "view" -> view(env, args, out);
            case "offsets" -> offsets(env, args, out);
            case "hold" -> hold(env, args, out);
            case "sendBatch" -> sendBatch(env, args, out);
            case "sendWith" -> sendWith(env, args, out);
            case "readLight" -> readLight(env, args, out);
            case "transact" -> transact(env, args, out);
            case "watch" -> watch(env, args, out);
            case "watchPop" -> watchPop(env, args, out);
            default -> throw new IllegalArgumentException(args[0]);
        };
    }

    /** topic NAME QUEUES */
    private static boolean topic(Env env, String[] args, PrintStream out) throws Exception {
        int queues = Integer.parseInt(args[2]);
        env.topic(args[1], queues, queues, Env.READ | Env.WRITE);
        out.println(Json.line().put("command", "topic").put("ok", true));
        return true;
    }

    /** produce TOPIC N PREFIX [PAUSE_MS]: bodies and keys PREFIX-0 …; a refused send is tried again. */
    private static boolean produce(Env env, String[] args, PrintStream out) throws Exception {
        int count = Integer.parseInt(args[2]);
        long pauseMs = args.length > 4 ? Long.parseLong(args[4]) : 0;
        long[] retries = {0};
        for (int i = 0; i < count; i++) {
            Message message = Env.message(args[1], args[3] + "-" + i);
            message.setKeys(args[3] + "-" + i);
            SendResult[] result = {null};
            Check.until("message " + i + " sent", RETRY_MS_MAX, () -> {
                try {
                    result[0] = env.producer().send(message, 3_000);
                } catch (Exception e) {
                    retries[0]++;
                    throw e;
                }
                return result[0].getSendStatus() == SendStatus.SEND_OK;
            });
            out.println(Json.line().put("body", args[3] + "-" + i).put("brokerName", result[0].getMessageQueue().getBrokerName())
                .put("queueId", result[0].getMessageQueue().getQueueId()).put("queueOffset", result[0].getQueueOffset())
                .put("msgId", result[0].getMsgId()).put("offsetMsgId", result[0].getOffsetMsgId()));
            out.flush();
            if (pauseMs > 0) {
                Thread.sleep(pauseMs);
            }
        }
        out.println(Json.line().put("command", "produce").put("ok", true).put("sent", count).put("retries", retries[0]));
        return true;
    }

    /** consume TOPIC GROUP N TIMEOUT_MS [EXPRESSION]: until N distinct messages came; offsets are committed at shutdown. */
    private static boolean consume(Env env, String[] args, PrintStream out) throws Exception {
        int count = Integer.parseInt(args[3]);
        long timeoutMs = Long.parseLong(args[4]);
        DefaultMQPushConsumer consumer = env.push(args[2], args[1], args.length > 5 ? args[5] : "*");
        Set<String> seen = new HashSet<>();
        long[] lastAt = {System.nanoTime()};
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            synchronized (seen) {
                for (MessageExt message : messages) {
                    seen.add(message.getMsgId());
                    out.println(describe(message).put("body", Env.body(message)));
                }
                out.flush();
                lastAt[0] = System.nanoTime();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        boolean ok = true;
        try {
            Check.until(count + " messages", timeoutMs, () -> {
                synchronized (seen) {
                    return seen.size() >= count && System.nanoTime() - lastAt[0] > QUIET_MS * 1_000_000;
                }
            });
            Check.until("positions committed", timeoutMs, () -> isCommitted(consumer));
        } catch (Check.Failure e) {
            ok = false;
        }
        consumer.shutdown();
        synchronized (seen) {
            out.println(Json.line().put("command", "consume").put("ok", ok).put("received", seen.size()));
        }
        return ok;
    }

    /** Commits are one-way: a broker that was busy, or a route that changed, may have lost one. True when the brokers have them all. */
    static boolean isCommitted(DefaultMQPushConsumer consumer) {
        DefaultMQPushConsumerImpl impl = consumer.getDefaultMQPushConsumerImpl();
        OffsetStore positions = impl.getOffsetStore();
        impl.persistConsumerOffset();
        boolean isSame = true;
        for (MessageQueue queue : impl.getRebalanceImpl().getProcessQueueTable().keySet()) {
            long here = positions.readOffset(queue, ReadOffsetType.READ_FROM_MEMORY);
            if (here < 0 || positions.readOffset(queue, ReadOffsetType.READ_FROM_STORE) == here) {
                continue;
            }
            // Reading has put the broker's position into the place of ours.
            positions.updateOffset(queue, here, false);
            isSame = false;
        }
        return isSame;
    }

    private static Json describe(MessageExt message) {
        return Json.line().put("brokerName", message.getBrokerName()).put("queueId", message.getQueueId())
            .put("queueOffset", message.getQueueOffset()).put("msgId", message.getMsgId())
            .put("offsetMsgId", Env.offsetId(message)).put("keys", message.getKeys()).put("tags", message.getTags());
    }

    /** All that a stored message says of itself; the body in base64. */
    private static Json whole(MessageExt message) {
        return describe(message).put("topic", message.getTopic()).put("body", Base64.getEncoder().encodeToString(message.getBody()))
            .put("flag", message.getFlag()).put("sysFlag", message.getSysFlag())
            .put("bornTimestamp", message.getBornTimestamp()).put("storeTimestamp", message.getStoreTimestamp())
            .put("commitLogOffset", message.getCommitLogOffset())
            .put("properties", new TreeMap<>(message.getProperties()).toString());
    }

    /** readAll TOPIC…: every message of every queue by queue offset; an unreachable broker is waited for. */
    private static boolean readAll(Env env, String[] args, PrintStream out) throws Exception {
        List<MessageExt> messages = new ArrayList<>();
        for (String topic : Arrays.copyOfRange(args, 1, args.length)) {
            Check.until("all of " + topic + " read", () -> {
                List<MessageExt> found = env.readAll(topic);
                messages.addAll(found);
                return true;
            });
        }
        for (MessageExt message : messages) {
            out.println(whole(message));
        }
        out.println(Json.line().put("command", "readAll").put("ok", true).put("messages", messages.size()));
        return true;
    }

    /** query TOPIC KEY: what the index of the brokers finds, oldest first. */
    private static boolean query(Env env, String[] args, PrintStream out) throws Exception {
        long now = System.currentTimeMillis();
        List<MessageExt> found = new ArrayList<>(
            env.producer().queryMessage(args[1], args[2], MAX_FOUND, now - HOUR_MS, now + HOUR_MS).getMessageList());
        found.sort(Comparator.comparing(MessageExt::getStoreTimestamp).thenComparing(MessageExt::getCommitLogOffset));
        for (MessageExt message : found) {
            out.println(whole(message));
        }
        out.println(Json.line().put("command", "query").put("ok", true).put("messages", found.size()));
        return true;
    }

    /** view TOPIC ID: one message by the id made of broker address and physical offset, or by its unique id. */
    private static boolean view(Env env, String[] args, PrintStream out) throws Exception {
        out.println(whole(env.producer().viewMessage(args[1], args[2])));
        out.println(Json.line().put("command", "view").put("ok", true));
        return true;
    }

    /** offsets GROUP TOPIC: what the brokers store, a line for each queue; -1 when that is nothing. */
    private static boolean offsets(Env env, String[] args, PrintStream out) throws Exception {
        List<MessageQueue> queues = new ArrayList<>(env.queues(args[2]));
        queues.sort(null);
        for (MessageQueue queue : queues) {
            long offset;
            try {
                offset = Compat.storedOffset(env.api(), env.masters().get(queue.getBrokerName()), args[1], args[2], queue.getQueueId());
            } catch (MQBrokerException e) {
                Check.equal(QUERY_NOT_FOUND, e.getResponseCode(), "refusal");
                offset = -1;
            }
            out.println(Json.line().put("brokerName", queue.getBrokerName()).put("queueId", queue.getQueueId()).put("queueOffset", offset));
        }
        out.println(Json.line().put("command", "offsets").put("ok", true));
        return true;
    }

    private static void printSent(SendResult result, PrintStream out) throws Exception {
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "status");
        out.println(Json.line().put("brokerName", result.getMessageQueue().getBrokerName())
            .put("queueId", result.getMessageQueue().getQueueId()).put("queueOffset", result.getQueueOffset())
            .put("msgId", result.getMsgId()).put("offsetMsgId", result.getOffsetMsgId()));
    }

    /** sendBatch TOPIC N PREFIX [TAG]: bodies and keys PREFIX-0 … in one request; one line for the batch. */
    private static boolean sendBatch(Env env, String[] args, PrintStream out) throws Exception {
        List<Message> messages = new ArrayList<>();
        for (int i = 0; i < Integer.parseInt(args[2]); i++) {
            Message message = Env.message(args[1], args[3] + "-" + i);
            message.setKeys(args[3] + "-" + i);
            if (args.length > 4) {
                message.setTags(args[4]);
            }
            messages.add(message);
        }
        printSent(env.producer().send(messages), out);
        out.println(Json.line().put("command", "sendBatch").put("ok", true).put("sent", messages.size()));
        return true;
    }

    /** sendWith TOPIC BODY NAME=VALUE…: one message with properties, those of the system too. */
    private static boolean sendWith(Env env, String[] args, PrintStream out) throws Exception {
        Message message = Env.message(args[1], args[2]);
        for (String property : Arrays.copyOfRange(args, 3, args.length)) {
            int at = property.indexOf('=');
            MessageAccessor.putProperty(message, property.substring(0, at), property.substring(at + 1));
        }
        printSent(env.producer().send(message), out);
        out.println(Json.line().put("command", "sendWith").put("ok", true));
        return true;
    }

    /** readLight QUEUE TOPIC: every message of a light queue of that topic. */
    private static boolean readLight(Env env, String[] args, PrintStream out) throws Exception {
        List<MessageExt> messages = env.readLight(args[1], args[2]);
        for (MessageExt message : messages) {
            out.println(whole(message));
        }
        out.println(Json.line().put("command", "readLight").put("ok", true).put("messages", messages.size()));
        return true;
    }

    /** hold TOPIC GROUP PRODUCER_GROUP: a live consumer and producer until standard input ends. */
    private static boolean hold(Env env, String[] args, PrintStream out) throws Exception {
        DefaultMQPushConsumer consumer = env.push(args[2], args[1], "*");
        consumer.registerMessageListener(new Inbox().concurrently());
        consumer.start();
        DefaultMQProducer producer = env.newProducer();
        producer.setProducerGroup(args[3]);
        producer.start();
        env.closeLater(producer::shutdown);
        producer.send(Env.message(args[1], "hold"));
        out.println(Json.line().put("ready", true));
        out.flush();
        while (System.in.read() >= 0) {
            continue;
        }
        out.println(Json.line().put("command", "hold").put("ok", true));
        return true;
    }

    /**
     * transact TOPIC GROUP N: N transactions whose outcome is not known until a line comes on standard input; then those with an
     * even number are committed and the others rolled back as they are asked about. Ends when all were and standard input ended:
     * ends of transactions are one-way, and whoever asked sees when they have arrived.
     */
    private static boolean transact(Env env, String[] args, PrintStream out) throws Exception {
        int count = Integer.parseInt(args[3]);
        AtomicBoolean decided = new AtomicBoolean();
        Set<String> ended = ConcurrentHashMap.newKeySet();
        TransactionMQProducer producer = env.configured(new TransactionMQProducer(args[2]));
        producer.setSendMsgTimeout(10_000);
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return LocalTransactionState.UNKNOW;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                if (!decided.get()) {
                    return LocalTransactionState.UNKNOW;
                }
                ended.add(message.getKeys());
                boolean commits = Integer.parseInt(message.getKeys()) % 2 == 0;
                return commits ? LocalTransactionState.COMMIT_MESSAGE : LocalTransactionState.ROLLBACK_MESSAGE;
            }
        });
        producer.start();
        for (int i = 0; i < count; i++) {
            Message message = Env.message(args[1], "tx-" + i);
            message.setKeys(String.valueOf(i));
            SendResult result = producer.sendMessageInTransaction(message, null);
            out.println(Json.line().put("body", "tx-" + i).put("msgId", result.getMsgId()).put("queueOffset", result.getQueueOffset()));
            out.flush();
        }
        System.in.read();
        decided.set(true);
        Check.until("all " + count + " were asked about", () -> ended.size() >= count);
        while (System.in.read() >= 0) {
            continue;
        }
        producer.shutdown();
        out.println(Json.line().put("command", "transact").put("ok", true).put("sent", count));
        return true;
    }

    /** watch TOPIC GROUP INSTANCE [orderly]: a line for each message delivered, until standard input ends. */
    private static boolean watch(Env env, String[] args, PrintStream out) throws Exception {
        DefaultMQPushConsumer consumer = env.push(args[2], args[1], "*");
        consumer.setPersistConsumerOffsetInterval(1_000);
        consumer.setInstanceName(args[3]);
        Consumer<List<MessageExt>> print = messages -> {
            synchronized (out) {
                for (MessageExt message : messages) {
                    out.println(describe(message).put("body", Env.body(message)).put("ms", System.currentTimeMillis()));
                }
                out.flush();
            }
        };
        if (args.length > 4) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                print.accept(messages);
                return ConsumeOrderlyStatus.SUCCESS;
            });
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                print.accept(messages);
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        consumer.start();
        while (System.in.read() >= 0) {
            continue;
        }
        consumer.shutdown();
        out.println(Json.line().put("command", "watch").put("ok", true));
        return true;
    }

    /**
     * watchPop TOPIC GROUP INVISIBLE_MS: a line for each message delivered to a consumer whose queues the broker assigns, until
     * standard input ends. At its first delivery a body that begins with "fail" fails, and one that begins with "slow" takes
     * longer than its invisible time.
     */
    private static boolean watchPop(Env env, String[] args, PrintStream out) throws Exception {
        int invisibleMs = Integer.parseInt(args[3]);
        DefaultMQPushConsumer consumer = env.push(args[2], args[1], "*");
        consumer.setConsumeThreadMax(SLOW_THREADS);
        consumer.setConsumeThreadMin(SLOW_THREADS);
        Compat.assignedByBroker(consumer, invisibleMs);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            String body = Env.body(message);
            synchronized (out) {
                out.println(describe(message).put("body", body).put("reconsumeTimes", message.getReconsumeTimes())
                    .put("popped", message.getProperty("POP_CK") != null));
                out.flush();
            }
            boolean isFirst = message.getReconsumeTimes() == 0;
            if (isFirst && body.startsWith("slow")) {
                try {
                    Thread.sleep(invisibleMs + SLOW_EXTRA_MS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            return isFirst && body.startsWith("fail") ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        while (System.in.read() >= 0) {
            continue;
        }
        consumer.shutdown();
        out.println(Json.line().put("command", "watchPop").put("ok", true));
        return true;
    }
}
