package perigee.interop;

import io.netty.channel.ChannelHandlerContext;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.AckResult;
import org.apache.rocketmq.client.consumer.AckStatus;
import org.apache.rocketmq.client.consumer.PopStatus;
import org.apache.rocketmq.client.impl.ClientRemotingProcessor;
import org.apache.rocketmq.client.impl.mqclient.MQClientAPIExt;
import org.apache.rocketmq.common.lite.LiteSubscriptionAction;
import org.apache.rocketmq.common.lite.LiteSubscriptionDTO;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.exception.RemotingCommandException;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RequestCode;
import org.apache.rocketmq.remoting.protocol.header.AckMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.ChangeInvisibleTimeRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.NotifyUnsubscribeLiteRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.PopLiteMessageRequestHeader;

/**
 * A consumer of lite topics, made of what Apache's client library offers for them: the remoting client that its proxy uses. (Apache's
 * own consumers of lite topics speak gRPC to that proxy.)
 */
final class LiteClient {
    private static final long REQUEST_MS = 10_000;
    /** A held pop may be answered this much later than its poll time. */
    private static final long LATE_MS = 10_000;
    private static final long POLL_MS = 2_000;
    private static final long INVISIBLE_MS = 60_000;
    private static final int BATCH = 32;

    final String id;
    /** "group lite-topic client" of every lite topic that the broker took away. */
    final Queue<String> told = new ConcurrentLinkedQueue<>();
    private final String topic;
    private final String group;
    private final String brokerName;
    private final String address;
    private final MQClientAPIExt api;
    private long version;

    LiteClient(Env env, String topic, String group) throws Exception {
        id = env.fresh("lite-client");
        this.topic = topic;
        this.group = group;
        brokerName = env.masters().keySet().iterator().next();
        address = env.masters().get(brokerName);
        ClientConfig config = new ClientConfig();
        config.setNamesrvAddr(env.namesrv);
        api = new MQClientAPIExt(config, new NettyClientConfig(), new ClientRemotingProcessor(null) {
            @Override
            public RemotingCommand processRequest(ChannelHandlerContext context, RemotingCommand request) throws RemotingCommandException {
                if (request.getCode() == RequestCode.NOTIFY_UNSUBSCRIBE_LITE) {
                    NotifyUnsubscribeLiteRequestHeader header = (NotifyUnsubscribeLiteRequestHeader)
                        request.decodeCommandCustomHeader(NotifyUnsubscribeLiteRequestHeader.class);
                    told.add(header.getConsumerGroup() + " " + header.getLiteTopic() + " " + header.getClientId());
                }
                return null;
            }
        }, null);
        api.updateNameServerAddressList();
        api.start();
        env.closeLater(api::shutdown);
    }

    void subscribe(String liteTopic) throws Exception {
        change(LiteSubscriptionAction.PARTIAL_ADD, liteTopic);
    }

    void unsubscribe(String liteTopic) throws Exception {
        change(LiteSubscriptionAction.PARTIAL_REMOVE, liteTopic);
    }

    private void change(LiteSubscriptionAction action, String liteTopic) throws Exception {
        LiteSubscriptionDTO subscription = new LiteSubscriptionDTO().setAction(action).setClientId(id).setGroup(group)
            .setTopic(topic).setLiteTopicSet(Set.of(liteTopic)).setVersion(++version);
        api.syncLiteSubscriptionAsync(address, subscription, REQUEST_MS).get();
    }

    /** A pop that waits so long for its first message; resolves to what came. */
    CompletableFuture<List<MessageExt>> hold(long pollMs) {
        PopLiteMessageRequestHeader header = new PopLiteMessageRequestHeader();
        header.setClientId(id);
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setMaxMsgNum(BATCH);
        header.setInvisibleTime(INVISIBLE_MS);
        header.setPollTime(pollMs);
        header.setBornTime(System.currentTimeMillis());
        return api.popLiteMessageAsync(address, brokerName, header, pollMs + LATE_MS)
            .thenApply(result -> result.getPopStatus() == PopStatus.FOUND ? result.getMsgFoundList() : List.of());
    }

    List<MessageExt> pop(long pollMs) throws Exception {
        return hold(pollMs).get();
    }

    /** Pops until so many messages came; fails when there are more. */
    List<MessageExt> popped(int count) throws Exception {
        List<MessageExt> all = new ArrayList<>();
        Check.until(count + " messages popped", () -> {
            all.addAll(pop(POLL_MS));
            return all.size() >= count;
        });
        Check.equal(count, all.size(), "messages popped");
        return all;
    }

    AckResult ack(MessageExt message) throws Exception {
        AckMessageRequestHeader header = new AckMessageRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(0);
        header.setOffset(message.getQueueOffset());
        header.setExtraInfo(message.getProperty("POP_CK"));
        header.setLiteTopic(message.getProperty("__LITE_TOPIC"));
        return api.ackMessageAsync(address, header, REQUEST_MS).get();
    }

    /** Gives a message back: it is there again after so long. */
    void comesAgain(MessageExt message, long afterMs) throws Exception {
        ChangeInvisibleTimeRequestHeader header = new ChangeInvisibleTimeRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(0);
        header.setOffset(message.getQueueOffset());
        header.setExtraInfo(message.getProperty("POP_CK"));
        header.setInvisibleTime(afterMs);
        header.setLiteTopic(message.getProperty("__LITE_TOPIC"));
        AckResult result = api.changeInvisibleTimeAsync(address, brokerName, header, REQUEST_MS).get();
        Check.equal(AckStatus.OK, result.getStatus(), "change of the invisible time");
    }
}
