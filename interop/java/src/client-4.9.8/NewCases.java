package perigee.interop;

import java.util.List;
import java.util.Map;

/** What came after client 4.9.8: its cases are skipped by name. */
final class NewCases {
    private NewCases() {
    }

    static void register(Map<String, Driver.Case> cases) {
        for (String name : List.of("priority-pop", "priority-ascending", "lite-topics", "lite-exclusive")) {
            cases.put(name, env -> {
                throw new Check.Skip("came after 4.9.8");
            });
        }
    }
}
