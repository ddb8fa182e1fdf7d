package perigee.interop;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.Permission;
import java.util.Iterator;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/**
 * Many mqadmin commands in one JVM: each line of standard input holds the arguments of one
 * command, separated by tabs; each is answered with one JSON line {code, stdout, stderr}.
 * Needs -Djava.security.manager=allow, because a command may end the JVM it runs in.
 */
@SuppressWarnings({"deprecation", "removal"})
public final class AdminBatch extends MQAdminStartup {
    private AdminBatch() {
    }

    private static final class Exit extends SecurityException {
        final int code;

        Exit(int code) {
            super("exit " + code);
            this.code = code;
        }
    }

    /** Turns System.exit into an exception and allows everything else. */
    private static final class ExitGuard extends SecurityManager {
        @Override
        public void checkExit(int code) {
            throw new Exit(code);
        }

        @Override
        public void checkPermission(Permission permission) {
            return;
        }
    }

    public static void main(String[] args) {
        PrintStream realOut = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        PrintStream realErr = System.err;
        Haste.begin();
        System.setSecurityManager(new ExitGuard());
        Iterator<String> lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).lines().iterator();
        while (lines.hasNext()) {
            String line = lines.next();
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ByteArrayOutputStream err = new ByteArrayOutputStream();
            System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
            int code = runOne(line.split("\t", -1));
            System.setOut(realErr);
            System.setErr(realErr);
            realOut.println(Json.line().put("code", code).put("stdout", out.toString(StandardCharsets.UTF_8))
                .put("stderr", err.toString(StandardCharsets.UTF_8)));
        }
        Runtime.getRuntime().halt(0);
    }

    private static int runOne(String[] args) {
        SUB_COMMANDS.clear();
        try {
            main0(args, null);
            return 0;
        } catch (Exit e) {
            return e.code;
        } catch (Throwable e) {
            e.printStackTrace();
            return 1;
        }
    }
}
