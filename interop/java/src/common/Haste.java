package perigee.interop;

import java.util.Map;

/**
 * Shutting down a 5.5.0 client waits until a thread that polls an event queue for 3 s looks up. Across hundreds of clients
 * that is most of the suite's time; here the sleeper is woken while somebody waits for it to end.
 */
final class Haste {
    private static final long LOOK_MS = 50;
    private static final String SLEEPER = "NettyEventExecutor";

    private Haste() {
    }

    static void begin() {
        Thread thread = new Thread(Haste::loop, "haste");
        thread.setDaemon(true);
        thread.start();
    }

    private static void loop() {
        try {
            while (true) {
                Thread.sleep(LOOK_MS);
                wakeSleepers(Thread.getAllStackTraces());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void wakeSleepers(Map<Thread, StackTraceElement[]> stacks) {
        if (stacks.values().stream().noneMatch(Haste::waitsForEnd)) {
            return;
        }
        for (Thread thread : stacks.keySet()) {
            if (thread.getName().startsWith(SLEEPER) && thread.getState() == Thread.State.TIMED_WAITING) {
                thread.interrupt();
            }
        }
    }

    private static boolean waitsForEnd(StackTraceElement[] stack) {
        for (StackTraceElement frame : stack) {
            if (frame.getClassName().endsWith(".ServiceThread") && frame.getMethodName().equals("shutdown")) {
                return true;
            }
        }
        return false;
    }
}
