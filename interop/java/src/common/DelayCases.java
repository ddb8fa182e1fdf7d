package perigee.interop;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Delayed messages: levels with both clients; times of their own and recalls with 5.5.0. Not part of {@code all}: they wait. */
final class DelayCases {
    private static final int MESSAGE_ILLEGAL = 13;
    /** A slot of the timer. */
    private static final long TICK_MS = 1_000;
    /** What a loaded machine adds. */
    private static final long SLACK_MS = 2_500;

    private DelayCases() {
    }

    static void register(Map<String, Driver.Case> cases) {
        cases.put("delay-levels", DelayCases::levels);
        cases.put("delay-level-pushed", DelayCases::levelPushed);
        cases.put("delay-timer", DelayCases::timer);
        cases.put("delay-refused", DelayCases::refused);
        cases.put("delay-recall", DelayCases::recall);
    }

    /** Levels 1 and 2 take 1 s and 5 s; level 0 is none. */
    private static String levels(Env env) throws Exception {
        String topic = env.topic("levels", 4);
        long[] delaysMs = {0, 1_000, 5_000};
        for (int level = 2; level >= 0; level--) {
            Message message = Env.message(topic, "level-" + level);
            message.setDelayTimeLevel(level);
            message.setKeys("key-" + level);
            env.send(message);
        }
        long worst = 0;
        for (MessageExt message : env.readBack(topic, 3)) {
            int level = Integer.parseInt(Env.body(message).substring("level-".length()));
            Check.equal("key-" + level, message.getKeys(), "keys");
            Check.equal(level, message.getDelayTimeLevel(), "level of the delivered message");
            worst = Math.max(worst, late(message, message.getBornTimestamp() + delaysMs[level], SLACK_MS));
        }
        return "at most " + worst + " ms late";
    }

    /** How late a message was stored in its topic; never early. */
    private static long late(MessageExt message, long dueMs, long lateMsMax) {
        long late = message.getStoreTimestamp() - dueMs;
        Check.that(late >= 0, Env.body(message) + " came " + -late + " ms early");
        Check.that(late <= lateMsMax, Env.body(message) + " came " + late + " ms late");
        return late;
    }

    /** A push consumer that waits gets the message when its level is over. */
    private static String levelPushed(Env env) throws Exception {
        String topic = env.topic("level-pushed", 1);
        Inbox inbox = new Inbox();
        var consumer = env.push(env.fresh("level-group"), topic, "*");
        consumer.registerMessageListener(inbox.concurrently());
        consumer.start();
        Message message = Env.message(topic, "pushed");
        message.setDelayTimeLevel(1);
        env.send(message);
        inbox.awaitExactly(List.of("pushed"));
        return "1 message";
    }

    /** Seconds, milliseconds, a time, an exact second, and a time that has passed. */
    private static String timer(Env env) throws Exception {
        String topic = env.topic("timer", 4);
        long now = System.currentTimeMillis();
        Map<String, Long> due = new HashMap<>();
        Message seconds = Env.message(topic, "seconds");
        Compat.delaySec(seconds, 2);
        due.put("seconds", now + 2_000);
        Message millis = Env.message(topic, "millis");
        Compat.delayMs(millis, 1_500);
        due.put("millis", now + 1_500);
        Message absolute = Env.message(topic, "absolute");
        Compat.deliverMs(absolute, now + 3_123);
        due.put("absolute", now + 3_123);
        Message exact = Env.message(topic, "exact");
        Compat.deliverMs(exact, now - now % TICK_MS + 4_000);
        due.put("exact", now - now % TICK_MS + 4_000);
        Message past = Env.message(topic, "past");
        Compat.deliverMs(past, now - 5_000);
        due.put("past", now);
        for (Message message : List.of(exact, absolute, seconds, millis)) {
            Check.that(Compat.recallHandle(env.send(message)) != null, "a recall handle for " + Env.body(message));
        }
        Check.equal(null, Compat.recallHandle(env.send(past)), "recall handle of a message without delay");
        long worst = 0;
        for (MessageExt message : env.readBack(topic, due.size())) {
            worst = Math.max(worst, late(message, due.get(Env.body(message)), TICK_MS + SLACK_MS));
        }
        return "at most " + worst + " ms late";
    }

    /** Beyond timerMaxDelaySec. */
    private static String refused(Env env) throws Exception {
        String topic = env.topic("timer-refused", 1);
        Message far = Env.message(topic, "far");
        Compat.delaySec(far, 10 * 86_400);
        try {
            env.producer().send(far);
        } catch (MQBrokerException e) {
            Check.equal(MESSAGE_ILLEGAL, e.getResponseCode(), "code");
            Check.that(e.getErrorMessage().startsWith("timer message illegal, the delay time should not be bigger than the max delay 259200000ms"),
                e.getErrorMessage());
            return e.getErrorMessage();
        }
        throw new Check.Failure("a delay of ten days was taken", null);
    }

    /** One of three messages of one tick is taken back; a handle of something else is refused. */
    private static String recall(Env env) throws Exception {
        String topic = env.topic("recall", 1);
        env.setBrokerConfig("recallMessageEnable", "true");
        long due = System.currentTimeMillis() + 6_000;
        List<SendResult> sent = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Message message = Env.message(topic, "recall-" + i);
            Compat.deliverMs(message, due);
            sent.add(env.send(message));
        }
        SendResult second = sent.get(1);
        Check.equal(second.getMsgId(), Compat.recall(env.producer(), topic, Compat.recallHandle(second)), "id of the recalled message");
        Message last = Env.message(topic, "last");
        Compat.deliverMs(last, due + TICK_MS);
        env.send(last);
        Check.equal(new TreeSet<>(List.of("recall-0", "recall-2", "last")), new TreeSet<>(Env.bodies(env.readBack(topic, 3))), "bodies");
        try {
            Compat.recall(env.producer(), topic, Compat.recallHandle(sent.get(0)));
        } catch (MQBrokerException e) {
            Check.that(e.getErrorMessage().startsWith("recall failed, timestamp invalid"), e.getErrorMessage());
            return e.getErrorMessage();
        }
        throw new Check.Failure("a recall of a delivered message was taken", null);
    }
}
