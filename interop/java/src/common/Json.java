package perigee.interop;

import java.util.ArrayList;
import java.util.List;

/** Builds one line of JSON: {@code Json.line().put("case", name).put("ok", true)}. */
final class Json {
    private final List<String> members = new ArrayList<>();

    static Json line() {
        return new Json();
    }

    Json put(String name, String value) {
        return raw(name, value == null ? "null" : quote(value));
    }

    Json put(String name, long value) {
        return raw(name, Long.toString(value));
    }

    Json put(String name, boolean value) {
        return raw(name, Boolean.toString(value));
    }

    private Json raw(String name, String value) {
        members.add(quote(name) + ":" + value);
        return this;
    }

    @Override
    public String toString() {
        return "{" + String.join(",", members) + "}";
    }

    static String quote(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 0x20 || c > 0x7e) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }
}
