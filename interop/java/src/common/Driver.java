package perigee.interop;

import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs named cases or one command against a cluster, in one JVM.
 *
 * <pre>Driver NAMESRV all | CASE,CASE,…      one JSON line per case
 * Driver NAMESRV COMMAND ARGUMENT…       see {@link Commands}
 * Driver NAMESRV session                 one of the above a line of standard input, split by tabs; each ends with {"done":…}
 * Driver - list                          names of all cases</pre>
 *
 * Exit code 0 when everything passed, 1 on a failure, 2 on wrong usage.
 */
public final class Driver {
    /** One case: returns a remark; throws when it fails. */
    interface Case {
        String run(Env env) throws Exception;
    }

    /** After so many failures the rest of a list is not tried: a server that is gone fails every case, each after a minute. */
    private static final int FAILURES_MAX = 3;

    private Driver() {
    }

    static Map<String, Case> cases() {
        Map<String, Case> cases = new LinkedHashMap<>();
        SendCases.register(cases);
        PushCases.register(cases);
        PullCases.register(cases);
        QueryCases.register(cases);
        return cases;
    }

    /** Cases that are asked for by name only: they take their time, or need a broker set up for them. */
    static Map<String, Case> slowCases() {
        Map<String, Case> cases = new LinkedHashMap<>();
        DelayCases.register(cases);
        KindCases.register(cases);
        MessageCases.register(cases);
        NewCases.register(cases);
        return cases;
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
        System.setOut(System.err);
        Haste.begin();
        System.exit(args.length < 2 ? 2 : run(args, out));
    }

    private static int run(String[] args, PrintStream out) {
        boolean ok = true;
        try (Env env = new Env(args[0])) {
            String[] rest = Arrays.copyOfRange(args, 1, args.length);
            ok = rest[0].equals("session") ? session(env, out) : execute(env, rest, out);
        } catch (Exception e) {
            e.printStackTrace();
            ok = false;
        }
        out.flush();
        return ok ? 0 : 1;
    }

    private static boolean session(Env env, PrintStream out) throws Exception {
        boolean ok = true;
        Iterator<String> lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).lines().iterator();
        while (lines.hasNext()) {
            boolean passed = execute(env, lines.next().split("\t", -1), out);
            env.endCase();
            out.println(Json.line().put("done", passed));
            out.flush();
            ok &= passed;
        }
        return ok;
    }

    private static boolean execute(Env env, String[] args, PrintStream out) {
        try {
            if (args[0].equals("list")) {
                cases().keySet().forEach(name -> out.println(Json.line().put("case", name)));
                return true;
            }
            if (Commands.has(args[0])) {
                return Commands.run(env, args, out);
            }
        } catch (Exception e) {
            e.printStackTrace();
            out.println(Json.line().put("command", args[0]).put("ok", false).put("detail", e.toString()));
            return false;
        }
        int failures = 0;
        for (String name : selected(args[0])) {
            if (!runCase(env, name, out) && ++failures == FAILURES_MAX) {
                System.err.println("The cases after " + name + " were not tried.");
                break;
            }
        }
        return failures == 0;
    }

    private static List<String> selected(String argument) {
        return argument.equals("all") ? new ArrayList<>(cases().keySet()) : List.of(argument.split(","));
    }

    private static boolean runCase(Env env, String name, PrintStream out) {
        long start = System.nanoTime();
        Json line = Json.line().put("case", name).put("client", Compat.CLIENT);
        boolean ok = true;
        try {
            Case found = cases().getOrDefault(name, slowCases().get(name));
            Check.that(found != null, "no case of that name");
            String detail = found.run(env);
            line.put("ok", true).put("detail", detail);
        } catch (Check.Skip e) {
            line.put("ok", true).put("skipped", true).put("detail", e.getMessage());
        } catch (Throwable e) {
            ok = false;
            e.printStackTrace();
            line.put("ok", false).put("detail", e.toString());
        } finally {
            env.endCase();
        }
        out.println(line.put("ms", (System.nanoTime() - start) / 1_000_000));
        out.flush();
        return ok;
    }
}
