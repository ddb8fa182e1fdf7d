package perigee.interop;

import java.util.Map;
import java.util.TreeMap;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.remoting.protocol.ResponseCode;
import org.apache.rocketmq.remoting.protocol.body.ClusterInfo;
import org.apache.rocketmq.remoting.protocol.header.QueryConsumerOffsetRequestHeader;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;
import org.apache.rocketmq.remoting.protocol.route.BrokerData;

/** What differs between the client versions; this one is for 5.5.0. */
final class Compat {
    static final String CLIENT = "5.5.0";
    private static final long TIMEOUT_MS = 5_000;

    private Compat() {
    }

    static Map<String, String> masters(MQClientAPIImpl api) throws Exception {
        ClusterInfo info = api.getBrokerClusterInfo(TIMEOUT_MS);
        Map<String, String> out = new TreeMap<>();
        for (BrokerData data : info.getBrokerAddrTable().values()) {
            if (data.getBrokerAddrs().containsKey(0L)) {
                out.put(data.getBrokerName(), data.getBrokerAddrs().get(0L));
            }
        }
        return out;
    }

    static String clusterName(MQClientAPIImpl api) throws Exception {
        return new TreeMap<>(api.getBrokerClusterInfo(TIMEOUT_MS).getClusterAddrTable()).firstKey();
    }

    /** Brokers in the topic's route; 0 when there is none. */
    static int routeBrokers(MQClientAPIImpl api, String topic) throws Exception {
        try {
            return api.getTopicRouteInfoFromNameServer(topic, TIMEOUT_MS).getQueueDatas().size();
        } catch (MQClientException e) {
            if (e.getResponseCode() == ResponseCode.TOPIC_NOT_EXIST) {
                return 0;
            }
            throw e;
        }
    }

    /** What the broker stores for the group; it throws code 22 when that is nothing. */
    static long storedOffset(MQClientAPIImpl api, String address, String group, String topic, int queueId) throws Exception {
        QueryConsumerOffsetRequestHeader header = new QueryConsumerOffsetRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(queueId);
        return api.queryConsumerOffset(address, header, TIMEOUT_MS);
    }

    static void createTopic(DefaultMQProducer producer, String key, String topic, int queues) throws Exception {
        producer.createTopic(key, topic, queues, Map.of());
    }

    static void broadcast(DefaultMQPushConsumer consumer) {
        consumer.setMessageModel(MessageModel.BROADCASTING);
    }

    static void namespaceV2(ClientConfig client, String namespace) {
        client.setNamespaceV2(namespace);
    }

    static void delaySec(Message message, long seconds) {
        message.setDelayTimeSec(seconds);
    }

    static void delayMs(Message message, long millis) {
        message.setDelayTimeMs(millis);
    }

    static void deliverMs(Message message, long timeMs) {
        message.setDeliverTimeMs(timeMs);
    }

    /** null when the message cannot be recalled. */
    static String recallHandle(SendResult result) {
        return result.getRecallHandle();
    }

    /** Takes a message back; answers its id. */
    static String recall(DefaultMQProducer producer, String topic, String handle) throws Exception {
        return producer.recallMessage(topic, handle);
    }

    static void compressWith(DefaultMQProducer producer, String type) {
        producer.setCompressType(CompressionType.of(type));
    }

    /** The broker assigns the queues, and says whether they are pulled or popped. */
    static void assignedByBroker(DefaultMQPushConsumer consumer, long popInvisibleMs) {
        consumer.setClientRebalance(false);
        consumer.setPopInvisibleTime(popInvisibleMs);
    }
}
