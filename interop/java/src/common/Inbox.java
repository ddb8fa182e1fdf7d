package perigee.interop;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.common.message.MessageExt;

/** What push consumers received, in order of arrival. */
final class Inbox {
    private final List<MessageExt> received = new ArrayList<>();

    MessageListenerConcurrently concurrently() {
        return (messages, context) -> {
            add(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        };
    }

    MessageListenerOrderly orderly() {
        return (messages, context) -> {
            add(messages);
            return ConsumeOrderlyStatus.SUCCESS;
        };
    }

    synchronized void add(List<MessageExt> messages) {
        received.addAll(messages);
    }

    synchronized int size() {
        return received.size();
    }

    synchronized List<MessageExt> messages() {
        return new ArrayList<>(received);
    }

    List<String> bodies() {
        return Env.bodies(messages());
    }

    /** Waits until every body was received. */
    void awaitAll(Collection<String> expected) throws InterruptedException {
        try {
            Check.until("all messages consumed", () -> new HashSet<>(bodies()).containsAll(expected));
        } catch (Check.Failure e) {
            Set<String> missing = new TreeSet<>(expected);
            missing.removeAll(bodies());
            throw new Check.Failure(e.getMessage() + "; missing " + missing.size() + " of " + expected.size() + ": "
                + missing.stream().limit(10).toList(), e);
        }
    }

    /** Waits until exactly these bodies were received, each once. */
    void awaitExactly(Collection<String> expected) throws InterruptedException {
        awaitAll(expected);
        Check.equal(new TreeSet<>(expected), new TreeSet<>(bodies()), "bodies");
        Check.equal(expected.size(), size(), "messages received");
    }

    /** Queues that the consumer holds now. */
    static int queuesHeld(DefaultMQPushConsumer consumer) {
        return consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet().stream()
            .filter(queue -> !queue.getTopic().startsWith("%RETRY%") && !queue.getTopic().contains("%%RETRY%"))
            .toList().size();
    }

    static void awaitQueues(DefaultMQPushConsumer consumer, int queues) throws InterruptedException {
        Check.until(queues + " queues assigned", () -> queuesHeld(consumer) == queues);
    }
}
