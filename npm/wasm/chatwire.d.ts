/** Names the build. The module has the same name in its section "chatwire". */
export declare const BUILD: string;
