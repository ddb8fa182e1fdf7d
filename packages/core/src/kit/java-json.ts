/** Interface sketch: replaced by the owner of kit/. */
export type JavaJsonValue = unknown;
