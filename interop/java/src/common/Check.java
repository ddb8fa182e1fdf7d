package perigee.interop;

import java.util.Objects;
import java.util.concurrent.Callable;

/** Assertions and bounded waits. Every wait of the suite goes through {@link #until}. */
final class Check {
    /** Longest wait for one condition; a busy CI machine needs a fraction of it, and only a failure takes it whole. */
    static final long DEADLINE_MS = 60_000;
    private static final long POLL_MS = 10;

    private Check() {
    }

    static final class Failure extends RuntimeException {
        Failure(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** Raised when a case needs something that this client version or this server setting lacks. */
    static final class Skip extends RuntimeException {
        Skip(String why) {
            super(why);
        }
    }

    static void that(boolean condition, String what) {
        if (!condition) {
            throw new Failure(what, null);
        }
    }

    static void equal(Object expected, Object actual, String what) {
        if (!Objects.equals(expected, actual)) {
            throw new Failure(what + ": expected " + brief(expected) + ", got " + brief(actual), null);
        }
    }

    private static String brief(Object value) {
        String text = String.valueOf(value);
        return text.length() > 300 ? text.substring(0, 300) + "… (" + text.length() + " chars)" : text;
    }

    /** Polls until the condition holds; an exception counts as "not yet" and is reported at the deadline. */
    static void until(String what, Callable<Boolean> condition) throws InterruptedException {
        until(what, DEADLINE_MS, condition);
    }

    /** Waits until nothing was added to an inbox for so long: what is still to come would have come. */
    static void quiet(String what, Inbox inbox, long quietMs) throws InterruptedException {
        until(what, () -> {
            int before = inbox.size();
            Thread.sleep(quietMs);
            return inbox.size() == before;
        });
    }

    static void until(String what, long deadlineMs, Callable<Boolean> condition) throws InterruptedException {
        long end = System.nanoTime() + deadlineMs * 1_000_000;
        Throwable last = null;
        while (true) {
            try {
                if (condition.call()) {
                    return;
                }
                last = null;
            } catch (InterruptedException e) {
                throw e;
            } catch (Exception e) {
                last = e;
            }
            if (System.nanoTime() > end) {
                throw new Failure("after " + deadlineMs + " ms still not: " + what + (last == null ? "" : "; last error: " + last), last);
            }
            Thread.sleep(POLL_MS);
        }
    }
}
