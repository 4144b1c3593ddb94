/**
 * Types of `chatwire/openai` that take arguments, against those of `openai`, by the compiler: nothing here runs. All others are in
 * types.test.ts, by name.
 */
import type Ours from "chatwire/openai";
import type Theirs from "openai";

type Fits<A, B> = [A] extends [B] ? true : false;

/** Both ways. */
function same<A, B>(..._: [Fits<A, B>, Fits<B, A>] extends [true, true] ? [] : [never]): void {}

same<Ours.ParsedChatCompletion<{ a: 1 }>, Theirs.ParsedChatCompletion<{ a: 1 }>>();
same<Ours.ParsedChatCompletionMessage<{ a: 1 }>, Theirs.ParsedChatCompletionMessage<{ a: 1 }>>();
same<Ours.ParsedChoice<{ a: 1 }>, Theirs.ParsedChoice<{ a: 1 }>>();
same<Ours.CursorPageResponse<{ id: string }>, Theirs.CursorPageResponse<{ id: string }>>();
same<Ours.PageResponse<{ id: string }>, Theirs.PageResponse<{ id: string }>>();

// Real declarations: a program keeps what it has declared with the one, and gives it to the other.
type Options = NonNullable<ConstructorParameters<typeof Ours>[0]>;
type TheirOptions = NonNullable<ConstructorParameters<typeof Theirs>[0]>;
declare const ourOptions: Options;
declare const theirOptions: TheirOptions;
declare const ourRequest: Ours.RequestOptions;
declare const theirRequest: Theirs.RequestOptions;
export const options: [Options, TheirOptions] = [theirOptions, ourOptions];
export const requests: [Ours.RequestOptions, Theirs.RequestOptions] = [theirRequest, ourRequest];
