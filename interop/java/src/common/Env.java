package perigee.interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageClientExt;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** The cluster under test as the cases see it: fresh names, shared clients, topics, reading back. */
final class Env implements AutoCloseable {
    static final int READ = 4;
    static final int WRITE = 2;
    /** Masters to wait for before the first topic is made. */
    private static final int MASTERS = Integer.getInteger("perigee.masters", 1);
    private static final long ADMIN_TIMEOUT_MS = 10_000;
    private static final int PULL_BATCH = 32;
    /**
     * A 5.5.0 push consumer sends its new subscription version once, after the first rebalance; when the scheduled
     * heartbeat runs at that moment it is dropped and every pull is refused (25) until the next one, 30 s later.
     */
    private static final int HEARTBEAT_MS = 1_000;
    private static final long CLOSE_MS_MAX = 5_000;
    /**
     * A listener has returned before its client counts the message as consumed: a client that is shut down in between tells the
     * broker an older offset, unless it lets its threads finish.
     */
    private static final long FINISH_MS_MAX = 10_000;

    final String namesrv;
    private final String run = UUID.randomUUID().toString().substring(0, 8);
    private final AtomicInteger names = new AtomicInteger();
    private final List<Runnable> closers = new ArrayList<>();
    private final List<Thread> closing = new ArrayList<>();
    private DefaultMQProducer producer;
    private DefaultMQPullConsumer reader;
    private Map<String, String> masters = Map.of();

    Env(String namesrv) {
        this.namesrv = namesrv;
    }

    /** A name that no earlier run has used; good for topics, groups and instances. */
    String fresh(String label) {
        return "it-" + label + "-" + run + "-" + names.incrementAndGet();
    }

    <C extends ClientConfig> C configured(C client) {
        client.setNamesrvAddr(namesrv);
        client.setInstanceName(fresh("client"));
        client.setClientCallbackExecutorThreads(2);
        client.setHeartbeatBrokerInterval(HEARTBEAT_MS);
        return client;
    }

    DefaultMQProducer producer() throws Exception {
        if (producer == null) {
            producer = newProducer();
            producer.start();
        }
        return producer;
    }

    DefaultMQProducer newProducer() {
        DefaultMQProducer made = configured(new DefaultMQProducer(fresh("producers")));
        made.setSendMsgTimeout(10_000);
        made.setRetryTimesWhenSendFailed(3);
        return made;
    }

    DefaultMQPullConsumer reader() throws Exception {
        if (reader == null) {
            reader = configured(new DefaultMQPullConsumer(fresh("readers")));
            reader.start();
        }
        return reader;
    }

    /** A push consumer that reads from the first message; not started; shut down after the case. */
    DefaultMQPushConsumer push(String group, String topic, String expression) throws Exception {
        DefaultMQPushConsumer made = configured(new DefaultMQPushConsumer(group));
        made.setConsumeThreadMax(4);
        made.setConsumeThreadMin(4);
        made.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        made.setAwaitTerminationMillisWhenShutdown(FINISH_MS_MAX);
        made.subscribe(topic, expression);
        closeLater(made::shutdown);
        return made;
    }

    DefaultLitePullConsumer litePull(String group) {
        DefaultLitePullConsumer made = configured(new DefaultLitePullConsumer(group));
        made.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        closeLater(made::shutdown);
        return made;
    }

    void closeLater(Runnable closer) {
        closers.add(closer);
    }

    /** Shuts down what the last case left open, in the background: a 5.5.0 client may take 3 s. */
    void endCase() {
        for (Runnable closer : closers) {
            Thread thread = new Thread(closer, "closing");
            thread.setDaemon(true);
            thread.start();
            closing.add(thread);
        }
        closers.clear();
    }

    MQClientAPIImpl api() throws Exception {
        return producer().getDefaultMQProducerImpl().getMqClientFactory().getMQClientAPIImpl();
    }

    /** Broker name → address of every master that the name server knows. */
    Map<String, String> masters() throws Exception {
        if (masters.size() < MASTERS) {
            Check.until(MASTERS + " masters registered", () -> {
                masters = Compat.masters(api());
                return masters.size() >= MASTERS;
            });
        }
        return masters;
    }

    /** Creates a topic of that many queues per master and waits for its route; returns the name. */
    String topic(String label, int queues) throws Exception {
        return topic(fresh(label), queues, queues, READ | WRITE);
    }

    String topic(String name, int readQueues, int writeQueues, int perm) throws Exception {
        Map<String, String> masters = masters();
        TopicConfig config = new TopicConfig(name, readQueues, writeQueues, perm);
        for (String address : masters.values()) {
            api().createTopic(address, "TBW102", config, ADMIN_TIMEOUT_MS);
        }
        Check.until("route of " + name, () -> Compat.routeBrokers(api(), name) == masters.size());
        return name;
    }

    /** Offsets that the brokers store for the group, summed over all queues of the topic. */
    long storedOffsets(String group, String topic) throws Exception {
        long sum = 0;
        for (MessageQueue queue : queues(topic)) {
            sum += Compat.storedOffset(api(), masters().get(queue.getBrokerName()), group, topic, queue.getQueueId());
        }
        return sum;
    }

    void setBrokerConfig(String key, String value) throws Exception {
        Properties change = new Properties();
        change.setProperty(key, value);
        for (String address : masters().values()) {
            api().updateBrokerConfig(address, change, ADMIN_TIMEOUT_MS);
        }
    }

    SendResult send(Message message) throws Exception {
        SendResult result = producer().send(message);
        Check.equal(SendStatus.SEND_OK, result.getSendStatus(), "send status");
        return result;
    }

    /** Sends bodies prefix-0 … prefix-(n-1) round the queues and returns them. */
    List<String> sendMany(String topic, String prefix, int n) throws Exception {
        List<String> bodies = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            String body = prefix + "-" + i;
            send(message(topic, body));
            bodies.add(body);
        }
        return bodies;
    }

    static Message message(String topic, String body) {
        return new Message(topic, body.getBytes(StandardCharsets.UTF_8));
    }

    static String body(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    /** The id made of store address and physical offset; getMsgId() is the producer's unique id. */
    static String offsetId(MessageExt message) {
        return ((MessageClientExt) message).getOffsetMsgId();
    }

    static List<String> bodies(List<? extends Message> messages) {
        List<String> out = new ArrayList<>();
        for (Message message : messages) {
            out.add(body(message));
        }
        return out;
    }

    Set<MessageQueue> queues(String topic) throws Exception {
        return reader().fetchSubscribeMessageQueues(topic);
    }

    /** Every message of the topic by queue offset, from each queue's minimum to its maximum. */
    List<MessageExt> readAll(String topic) throws Exception {
        List<MessageExt> all = new ArrayList<>();
        List<MessageQueue> queues = new ArrayList<>(queues(topic));
        queues.sort(null);
        for (MessageQueue queue : queues) {
            readQueue(queue, all);
        }
        return all;
    }

    /** Every message of a light queue, on every broker of the topic whose messages it gets. */
    List<MessageExt> readLight(String queue, String topic) throws Exception {
        List<MessageExt> all = new ArrayList<>();
        List<String> brokers = new ArrayList<>();
        for (MessageQueue each : queues(topic)) {
            if (!brokers.contains(each.getBrokerName())) {
                brokers.add(each.getBrokerName());
                readQueue(new MessageQueue(queue, each.getBrokerName(), 0), all);
            }
        }
        return all;
    }

    private void readQueue(MessageQueue queue, List<MessageExt> into) throws Exception {
        long next = reader().minOffset(queue);
        long end = reader().maxOffset(queue);
        while (next < end) {
            PullResult result = reader().pull(queue, "*", next, PULL_BATCH);
            if (result.getPullStatus() == PullStatus.FOUND) {
                into.addAll(result.getMsgFoundList());
            }
            Check.that(result.getNextBeginOffset() > next, queue + " at " + next + ": " + result);
            next = result.getNextBeginOffset();
        }
    }

    /** Reads the topic until it holds n messages, and fails when it holds more. */
    List<MessageExt> readBack(String topic, int n) throws Exception {
        List<MessageExt> found = new ArrayList<>();
        Check.until(n + " messages in " + topic, () -> {
            found.clear();
            found.addAll(readAll(topic));
            return found.size() >= n;
        });
        Check.equal(n, found.size(), "messages in " + topic);
        return found;
    }

    /** Ends every client; offsets and unregistration are out at once, the rest gets 5 s. */
    @Override
    public void close() throws InterruptedException {
        if (reader != null) {
            closeLater(reader::shutdown);
        }
        if (producer != null) {
            closeLater(producer::shutdown);
        }
        endCase();
        long end = System.currentTimeMillis() + CLOSE_MS_MAX;
        for (Thread thread : closing) {
            thread.join(Math.max(1, end - System.currentTimeMillis()));
        }
    }
}
