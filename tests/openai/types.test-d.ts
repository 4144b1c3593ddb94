/**
 * The types of `chatwire/openai` against those of `openai`, by the compiler: nothing here runs. A type fits its namesake both
 * ways, wherever a program may find it: on the class, in the namespaces, and at the deep paths.
 */
import type Ours from "chatwire/openai";
import type * as OurCompletions from "chatwire/openai/resources/chat/completions";
import type * as OurShared from "chatwire/openai/resources/shared";
import type Theirs from "openai";
import type * as TheirCompletions from "openai/resources/chat/completions";
import type * as TheirShared from "openai/resources/shared";

type Fits<A, B> = [A] extends [B] ? true : false;

/** Both ways. */
function same<A, B>(..._: [Fits<A, B>, Fits<B, A>] extends [true, true] ? [] : [never]): void {}

// On the class.
same<Ours.ChatCompletion, Theirs.ChatCompletion>();
same<Ours.ChatCompletionAllowedToolChoice, Theirs.ChatCompletionAllowedToolChoice>();
same<Ours.ChatCompletionAllowedTools, Theirs.ChatCompletionAllowedTools>();
same<Ours.ChatCompletionAssistantMessageParam, Theirs.ChatCompletionAssistantMessageParam>();
same<Ours.ChatCompletionAudio, Theirs.ChatCompletionAudio>();
same<Ours.ChatCompletionAudioParam, Theirs.ChatCompletionAudioParam>();
same<Ours.ChatCompletionChunk, Theirs.ChatCompletionChunk>();
same<Ours.ChatCompletionContentPart, Theirs.ChatCompletionContentPart>();
same<Ours.ChatCompletionContentPartImage, Theirs.ChatCompletionContentPartImage>();
same<Ours.ChatCompletionContentPartInputAudio, Theirs.ChatCompletionContentPartInputAudio>();
same<Ours.ChatCompletionContentPartRefusal, Theirs.ChatCompletionContentPartRefusal>();
same<Ours.ChatCompletionContentPartText, Theirs.ChatCompletionContentPartText>();
same<Ours.ChatCompletionCreateParams, Theirs.ChatCompletionCreateParams>();
same<Ours.ChatCompletionCreateParamsNonStreaming, Theirs.ChatCompletionCreateParamsNonStreaming>();
same<Ours.ChatCompletionCreateParamsStreaming, Theirs.ChatCompletionCreateParamsStreaming>();
same<Ours.ChatCompletionCustomTool, Theirs.ChatCompletionCustomTool>();
same<Ours.ChatCompletionDeleted, Theirs.ChatCompletionDeleted>();
same<Ours.ChatCompletionDeveloperMessageParam, Theirs.ChatCompletionDeveloperMessageParam>();
same<Ours.ChatCompletionFunctionCallOption, Theirs.ChatCompletionFunctionCallOption>();
same<Ours.ChatCompletionFunctionMessageParam, Theirs.ChatCompletionFunctionMessageParam>();
same<Ours.ChatCompletionFunctionTool, Theirs.ChatCompletionFunctionTool>();
same<Ours.ChatCompletionListParams, Theirs.ChatCompletionListParams>();
same<Ours.ChatCompletionMessage, Theirs.ChatCompletionMessage>();
same<Ours.ChatCompletionMessageCustomToolCall, Theirs.ChatCompletionMessageCustomToolCall>();
same<Ours.ChatCompletionMessageFunctionToolCall, Theirs.ChatCompletionMessageFunctionToolCall>();
same<Ours.ChatCompletionMessageParam, Theirs.ChatCompletionMessageParam>();
same<Ours.ChatCompletionMessageToolCall, Theirs.ChatCompletionMessageToolCall>();
same<Ours.ChatCompletionModality, Theirs.ChatCompletionModality>();
same<Ours.ChatCompletionNamedToolChoice, Theirs.ChatCompletionNamedToolChoice>();
same<Ours.ChatCompletionNamedToolChoiceCustom, Theirs.ChatCompletionNamedToolChoiceCustom>();
same<Ours.ChatCompletionParseParams, Theirs.ChatCompletionParseParams>();
same<Ours.ChatCompletionPredictionContent, Theirs.ChatCompletionPredictionContent>();
same<Ours.ChatCompletionReasoningEffort, Theirs.ChatCompletionReasoningEffort>();
same<Ours.ChatCompletionRole, Theirs.ChatCompletionRole>();
same<Ours.ChatCompletionStoreMessage, Theirs.ChatCompletionStoreMessage>();
same<Ours.ChatCompletionStreamOptions, Theirs.ChatCompletionStreamOptions>();
same<Ours.ChatCompletionSystemMessageParam, Theirs.ChatCompletionSystemMessageParam>();
same<Ours.ChatCompletionTokenLogprob, Theirs.ChatCompletionTokenLogprob>();
same<Ours.ChatCompletionTool, Theirs.ChatCompletionTool>();
same<Ours.ChatCompletionToolChoiceOption, Theirs.ChatCompletionToolChoiceOption>();
same<Ours.ChatCompletionToolMessageParam, Theirs.ChatCompletionToolMessageParam>();
same<Ours.ChatCompletionUpdateParams, Theirs.ChatCompletionUpdateParams>();
same<Ours.ChatCompletionUserMessageParam, Theirs.ChatCompletionUserMessageParam>();
same<Ours.ParsedChatCompletion<{ a: 1 }>, Theirs.ParsedChatCompletion<{ a: 1 }>>();
same<Ours.ParsedChatCompletionMessage<{ a: 1 }>, Theirs.ParsedChatCompletionMessage<{ a: 1 }>>();
same<Ours.ParsedChatCompletionMessageToolCall, Theirs.ParsedChatCompletionMessageToolCall>();
same<Ours.ParsedChoice<{ a: 1 }>, Theirs.ParsedChoice<{ a: 1 }>>();
same<Ours.ParsedFunction, Theirs.ParsedFunction>();
same<Ours.ParsedFunctionToolCall, Theirs.ParsedFunctionToolCall>();
same<Ours.CompletionUsage, Theirs.CompletionUsage>();
same<Ours.FunctionDefinition, Theirs.FunctionDefinition>();
same<Ours.FunctionParameters, Theirs.FunctionParameters>();
same<Ours.Metadata, Theirs.Metadata>();
same<Ours.ReasoningEffort, Theirs.ReasoningEffort>();
same<Ours.ResponseFormatJSONObject, Theirs.ResponseFormatJSONObject>();
same<Ours.ResponseFormatJSONSchema, Theirs.ResponseFormatJSONSchema>();
same<Ours.ResponseFormatText, Theirs.ResponseFormatText>();
same<Ours.Model, Theirs.Model>();
same<Ours.ModelDeleted, Theirs.ModelDeleted>();
same<Ours.ChatModel, Theirs.ChatModel>();
same<Ours.CursorPageParams, Theirs.CursorPageParams>();

same<Ours.AllModels, Theirs.AllModels>();
same<Ours.CustomToolInputFormat, Theirs.CustomToolInputFormat>();
same<Ours.CursorPageResponse<{ id: string }>, Theirs.CursorPageResponse<{ id: string }>>();
same<Ours.PageResponse<{ id: string }>, Theirs.PageResponse<{ id: string }>>();

// In the namespaces, and at the deep path.
same<Ours.Chat.ChatCompletion, Theirs.Chat.ChatCompletion>();
same<Ours.Chat.Completions.ChatCompletion, Theirs.Chat.Completions.ChatCompletion>();
same<OurCompletions.ChatCompletion, TheirCompletions.ChatCompletion>();
same<Ours.Chat.ChatCompletionAllowedToolChoice, Theirs.Chat.ChatCompletionAllowedToolChoice>();
same<Ours.Chat.Completions.ChatCompletionAllowedToolChoice, Theirs.Chat.Completions.ChatCompletionAllowedToolChoice>();
same<OurCompletions.ChatCompletionAllowedToolChoice, TheirCompletions.ChatCompletionAllowedToolChoice>();
same<Ours.Chat.ChatCompletionAllowedTools, Theirs.Chat.ChatCompletionAllowedTools>();
same<Ours.Chat.Completions.ChatCompletionAllowedTools, Theirs.Chat.Completions.ChatCompletionAllowedTools>();
same<OurCompletions.ChatCompletionAllowedTools, TheirCompletions.ChatCompletionAllowedTools>();
same<Ours.Chat.ChatCompletionAssistantMessageParam, Theirs.Chat.ChatCompletionAssistantMessageParam>();
same<
  Ours.Chat.Completions.ChatCompletionAssistantMessageParam,
  Theirs.Chat.Completions.ChatCompletionAssistantMessageParam
>();
same<OurCompletions.ChatCompletionAssistantMessageParam, TheirCompletions.ChatCompletionAssistantMessageParam>();
same<Ours.Chat.ChatCompletionAudio, Theirs.Chat.ChatCompletionAudio>();
same<Ours.Chat.Completions.ChatCompletionAudio, Theirs.Chat.Completions.ChatCompletionAudio>();
same<OurCompletions.ChatCompletionAudio, TheirCompletions.ChatCompletionAudio>();
same<Ours.Chat.ChatCompletionAudioParam, Theirs.Chat.ChatCompletionAudioParam>();
same<Ours.Chat.Completions.ChatCompletionAudioParam, Theirs.Chat.Completions.ChatCompletionAudioParam>();
same<OurCompletions.ChatCompletionAudioParam, TheirCompletions.ChatCompletionAudioParam>();
same<Ours.Chat.ChatCompletionChunk, Theirs.Chat.ChatCompletionChunk>();
same<Ours.Chat.Completions.ChatCompletionChunk, Theirs.Chat.Completions.ChatCompletionChunk>();
same<OurCompletions.ChatCompletionChunk, TheirCompletions.ChatCompletionChunk>();
same<Ours.Chat.ChatCompletionContentPart, Theirs.Chat.ChatCompletionContentPart>();
same<Ours.Chat.Completions.ChatCompletionContentPart, Theirs.Chat.Completions.ChatCompletionContentPart>();
same<OurCompletions.ChatCompletionContentPart, TheirCompletions.ChatCompletionContentPart>();
same<Ours.Chat.ChatCompletionContentPartImage, Theirs.Chat.ChatCompletionContentPartImage>();
same<Ours.Chat.Completions.ChatCompletionContentPartImage, Theirs.Chat.Completions.ChatCompletionContentPartImage>();
same<OurCompletions.ChatCompletionContentPartImage, TheirCompletions.ChatCompletionContentPartImage>();
same<Ours.Chat.ChatCompletionContentPartInputAudio, Theirs.Chat.ChatCompletionContentPartInputAudio>();
same<
  Ours.Chat.Completions.ChatCompletionContentPartInputAudio,
  Theirs.Chat.Completions.ChatCompletionContentPartInputAudio
>();
same<OurCompletions.ChatCompletionContentPartInputAudio, TheirCompletions.ChatCompletionContentPartInputAudio>();
same<Ours.Chat.ChatCompletionContentPartRefusal, Theirs.Chat.ChatCompletionContentPartRefusal>();
same<
  Ours.Chat.Completions.ChatCompletionContentPartRefusal,
  Theirs.Chat.Completions.ChatCompletionContentPartRefusal
>();
same<OurCompletions.ChatCompletionContentPartRefusal, TheirCompletions.ChatCompletionContentPartRefusal>();
same<Ours.Chat.ChatCompletionContentPartText, Theirs.Chat.ChatCompletionContentPartText>();
same<Ours.Chat.Completions.ChatCompletionContentPartText, Theirs.Chat.Completions.ChatCompletionContentPartText>();
same<OurCompletions.ChatCompletionContentPartText, TheirCompletions.ChatCompletionContentPartText>();
same<Ours.Chat.ChatCompletionCreateParams, Theirs.Chat.ChatCompletionCreateParams>();
same<Ours.Chat.Completions.ChatCompletionCreateParams, Theirs.Chat.Completions.ChatCompletionCreateParams>();
same<OurCompletions.ChatCompletionCreateParams, TheirCompletions.ChatCompletionCreateParams>();
same<Ours.Chat.ChatCompletionCreateParamsNonStreaming, Theirs.Chat.ChatCompletionCreateParamsNonStreaming>();
same<
  Ours.Chat.Completions.ChatCompletionCreateParamsNonStreaming,
  Theirs.Chat.Completions.ChatCompletionCreateParamsNonStreaming
>();
same<OurCompletions.ChatCompletionCreateParamsNonStreaming, TheirCompletions.ChatCompletionCreateParamsNonStreaming>();
same<Ours.Chat.ChatCompletionCreateParamsStreaming, Theirs.Chat.ChatCompletionCreateParamsStreaming>();
same<
  Ours.Chat.Completions.ChatCompletionCreateParamsStreaming,
  Theirs.Chat.Completions.ChatCompletionCreateParamsStreaming
>();
same<OurCompletions.ChatCompletionCreateParamsStreaming, TheirCompletions.ChatCompletionCreateParamsStreaming>();
same<Ours.Chat.ChatCompletionCustomTool, Theirs.Chat.ChatCompletionCustomTool>();
same<Ours.Chat.Completions.ChatCompletionCustomTool, Theirs.Chat.Completions.ChatCompletionCustomTool>();
same<OurCompletions.ChatCompletionCustomTool, TheirCompletions.ChatCompletionCustomTool>();
same<Ours.Chat.ChatCompletionDeleted, Theirs.Chat.ChatCompletionDeleted>();
same<Ours.Chat.Completions.ChatCompletionDeleted, Theirs.Chat.Completions.ChatCompletionDeleted>();
same<OurCompletions.ChatCompletionDeleted, TheirCompletions.ChatCompletionDeleted>();
same<Ours.Chat.ChatCompletionDeveloperMessageParam, Theirs.Chat.ChatCompletionDeveloperMessageParam>();
same<
  Ours.Chat.Completions.ChatCompletionDeveloperMessageParam,
  Theirs.Chat.Completions.ChatCompletionDeveloperMessageParam
>();
same<OurCompletions.ChatCompletionDeveloperMessageParam, TheirCompletions.ChatCompletionDeveloperMessageParam>();
same<Ours.Chat.ChatCompletionFunctionCallOption, Theirs.Chat.ChatCompletionFunctionCallOption>();
same<
  Ours.Chat.Completions.ChatCompletionFunctionCallOption,
  Theirs.Chat.Completions.ChatCompletionFunctionCallOption
>();
same<OurCompletions.ChatCompletionFunctionCallOption, TheirCompletions.ChatCompletionFunctionCallOption>();
same<Ours.Chat.ChatCompletionFunctionMessageParam, Theirs.Chat.ChatCompletionFunctionMessageParam>();
same<
  Ours.Chat.Completions.ChatCompletionFunctionMessageParam,
  Theirs.Chat.Completions.ChatCompletionFunctionMessageParam
>();
same<OurCompletions.ChatCompletionFunctionMessageParam, TheirCompletions.ChatCompletionFunctionMessageParam>();
same<Ours.Chat.ChatCompletionFunctionTool, Theirs.Chat.ChatCompletionFunctionTool>();
same<Ours.Chat.Completions.ChatCompletionFunctionTool, Theirs.Chat.Completions.ChatCompletionFunctionTool>();
same<OurCompletions.ChatCompletionFunctionTool, TheirCompletions.ChatCompletionFunctionTool>();
same<Ours.Chat.ChatCompletionListParams, Theirs.Chat.ChatCompletionListParams>();
same<Ours.Chat.Completions.ChatCompletionListParams, Theirs.Chat.Completions.ChatCompletionListParams>();
same<OurCompletions.ChatCompletionListParams, TheirCompletions.ChatCompletionListParams>();
same<Ours.Chat.ChatCompletionMessage, Theirs.Chat.ChatCompletionMessage>();
same<Ours.Chat.Completions.ChatCompletionMessage, Theirs.Chat.Completions.ChatCompletionMessage>();
same<OurCompletions.ChatCompletionMessage, TheirCompletions.ChatCompletionMessage>();
same<Ours.Chat.ChatCompletionMessageCustomToolCall, Theirs.Chat.ChatCompletionMessageCustomToolCall>();
same<
  Ours.Chat.Completions.ChatCompletionMessageCustomToolCall,
  Theirs.Chat.Completions.ChatCompletionMessageCustomToolCall
>();
same<OurCompletions.ChatCompletionMessageCustomToolCall, TheirCompletions.ChatCompletionMessageCustomToolCall>();
same<Ours.Chat.ChatCompletionMessageFunctionToolCall, Theirs.Chat.ChatCompletionMessageFunctionToolCall>();
same<
  Ours.Chat.Completions.ChatCompletionMessageFunctionToolCall,
  Theirs.Chat.Completions.ChatCompletionMessageFunctionToolCall
>();
same<OurCompletions.ChatCompletionMessageFunctionToolCall, TheirCompletions.ChatCompletionMessageFunctionToolCall>();
same<Ours.Chat.ChatCompletionMessageParam, Theirs.Chat.ChatCompletionMessageParam>();
same<Ours.Chat.Completions.ChatCompletionMessageParam, Theirs.Chat.Completions.ChatCompletionMessageParam>();
same<OurCompletions.ChatCompletionMessageParam, TheirCompletions.ChatCompletionMessageParam>();
same<Ours.Chat.ChatCompletionMessageToolCall, Theirs.Chat.ChatCompletionMessageToolCall>();
same<Ours.Chat.Completions.ChatCompletionMessageToolCall, Theirs.Chat.Completions.ChatCompletionMessageToolCall>();
same<OurCompletions.ChatCompletionMessageToolCall, TheirCompletions.ChatCompletionMessageToolCall>();
same<Ours.Chat.ChatCompletionModality, Theirs.Chat.ChatCompletionModality>();
same<Ours.Chat.Completions.ChatCompletionModality, Theirs.Chat.Completions.ChatCompletionModality>();
same<OurCompletions.ChatCompletionModality, TheirCompletions.ChatCompletionModality>();
same<Ours.Chat.ChatCompletionNamedToolChoice, Theirs.Chat.ChatCompletionNamedToolChoice>();
same<Ours.Chat.Completions.ChatCompletionNamedToolChoice, Theirs.Chat.Completions.ChatCompletionNamedToolChoice>();
same<OurCompletions.ChatCompletionNamedToolChoice, TheirCompletions.ChatCompletionNamedToolChoice>();
same<Ours.Chat.ChatCompletionNamedToolChoiceCustom, Theirs.Chat.ChatCompletionNamedToolChoiceCustom>();
same<
  Ours.Chat.Completions.ChatCompletionNamedToolChoiceCustom,
  Theirs.Chat.Completions.ChatCompletionNamedToolChoiceCustom
>();
same<OurCompletions.ChatCompletionNamedToolChoiceCustom, TheirCompletions.ChatCompletionNamedToolChoiceCustom>();
same<Ours.Chat.ChatCompletionParseParams, Theirs.Chat.ChatCompletionParseParams>();
same<Ours.Chat.Completions.ChatCompletionParseParams, Theirs.Chat.Completions.ChatCompletionParseParams>();
same<OurCompletions.ChatCompletionParseParams, TheirCompletions.ChatCompletionParseParams>();
same<Ours.Chat.ChatCompletionPredictionContent, Theirs.Chat.ChatCompletionPredictionContent>();
same<Ours.Chat.Completions.ChatCompletionPredictionContent, Theirs.Chat.Completions.ChatCompletionPredictionContent>();
same<OurCompletions.ChatCompletionPredictionContent, TheirCompletions.ChatCompletionPredictionContent>();
same<Ours.Chat.ChatCompletionReasoningEffort, Theirs.Chat.ChatCompletionReasoningEffort>();
same<Ours.Chat.Completions.ChatCompletionReasoningEffort, Theirs.Chat.Completions.ChatCompletionReasoningEffort>();
same<OurCompletions.ChatCompletionReasoningEffort, TheirCompletions.ChatCompletionReasoningEffort>();
same<Ours.Chat.ChatCompletionRole, Theirs.Chat.ChatCompletionRole>();
same<Ours.Chat.Completions.ChatCompletionRole, Theirs.Chat.Completions.ChatCompletionRole>();
same<OurCompletions.ChatCompletionRole, TheirCompletions.ChatCompletionRole>();
same<Ours.Chat.ChatCompletionStoreMessage, Theirs.Chat.ChatCompletionStoreMessage>();
same<Ours.Chat.Completions.ChatCompletionStoreMessage, Theirs.Chat.Completions.ChatCompletionStoreMessage>();
same<OurCompletions.ChatCompletionStoreMessage, TheirCompletions.ChatCompletionStoreMessage>();
same<Ours.Chat.ChatCompletionStreamOptions, Theirs.Chat.ChatCompletionStreamOptions>();
same<Ours.Chat.Completions.ChatCompletionStreamOptions, Theirs.Chat.Completions.ChatCompletionStreamOptions>();
same<OurCompletions.ChatCompletionStreamOptions, TheirCompletions.ChatCompletionStreamOptions>();
same<Ours.Chat.ChatCompletionSystemMessageParam, Theirs.Chat.ChatCompletionSystemMessageParam>();
same<
  Ours.Chat.Completions.ChatCompletionSystemMessageParam,
  Theirs.Chat.Completions.ChatCompletionSystemMessageParam
>();
same<OurCompletions.ChatCompletionSystemMessageParam, TheirCompletions.ChatCompletionSystemMessageParam>();
same<Ours.Chat.ChatCompletionTokenLogprob, Theirs.Chat.ChatCompletionTokenLogprob>();
same<Ours.Chat.Completions.ChatCompletionTokenLogprob, Theirs.Chat.Completions.ChatCompletionTokenLogprob>();
same<OurCompletions.ChatCompletionTokenLogprob, TheirCompletions.ChatCompletionTokenLogprob>();
same<Ours.Chat.ChatCompletionTool, Theirs.Chat.ChatCompletionTool>();
same<Ours.Chat.Completions.ChatCompletionTool, Theirs.Chat.Completions.ChatCompletionTool>();
same<OurCompletions.ChatCompletionTool, TheirCompletions.ChatCompletionTool>();
same<Ours.Chat.ChatCompletionToolChoiceOption, Theirs.Chat.ChatCompletionToolChoiceOption>();
same<Ours.Chat.Completions.ChatCompletionToolChoiceOption, Theirs.Chat.Completions.ChatCompletionToolChoiceOption>();
same<OurCompletions.ChatCompletionToolChoiceOption, TheirCompletions.ChatCompletionToolChoiceOption>();
same<Ours.Chat.ChatCompletionToolMessageParam, Theirs.Chat.ChatCompletionToolMessageParam>();
same<Ours.Chat.Completions.ChatCompletionToolMessageParam, Theirs.Chat.Completions.ChatCompletionToolMessageParam>();
same<OurCompletions.ChatCompletionToolMessageParam, TheirCompletions.ChatCompletionToolMessageParam>();
same<Ours.Chat.ChatCompletionUpdateParams, Theirs.Chat.ChatCompletionUpdateParams>();
same<Ours.Chat.Completions.ChatCompletionUpdateParams, Theirs.Chat.Completions.ChatCompletionUpdateParams>();
same<OurCompletions.ChatCompletionUpdateParams, TheirCompletions.ChatCompletionUpdateParams>();
same<Ours.Chat.ChatCompletionUserMessageParam, Theirs.Chat.ChatCompletionUserMessageParam>();
same<Ours.Chat.Completions.ChatCompletionUserMessageParam, Theirs.Chat.Completions.ChatCompletionUserMessageParam>();
same<OurCompletions.ChatCompletionUserMessageParam, TheirCompletions.ChatCompletionUserMessageParam>();
same<Ours.Chat.ParsedChatCompletion<{ a: 1 }>, Theirs.Chat.ParsedChatCompletion<{ a: 1 }>>();
same<Ours.Chat.Completions.ParsedChatCompletion<{ a: 1 }>, Theirs.Chat.Completions.ParsedChatCompletion<{ a: 1 }>>();
same<OurCompletions.ParsedChatCompletion<{ a: 1 }>, TheirCompletions.ParsedChatCompletion<{ a: 1 }>>();
same<Ours.Chat.ParsedChatCompletionMessage<{ a: 1 }>, Theirs.Chat.ParsedChatCompletionMessage<{ a: 1 }>>();
same<
  Ours.Chat.Completions.ParsedChatCompletionMessage<{ a: 1 }>,
  Theirs.Chat.Completions.ParsedChatCompletionMessage<{ a: 1 }>
>();
same<OurCompletions.ParsedChatCompletionMessage<{ a: 1 }>, TheirCompletions.ParsedChatCompletionMessage<{ a: 1 }>>();
same<Ours.Chat.ParsedChatCompletionMessageToolCall, Theirs.Chat.ParsedChatCompletionMessageToolCall>();
same<
  Ours.Chat.Completions.ParsedChatCompletionMessageToolCall,
  Theirs.Chat.Completions.ParsedChatCompletionMessageToolCall
>();
same<OurCompletions.ParsedChatCompletionMessageToolCall, TheirCompletions.ParsedChatCompletionMessageToolCall>();
same<Ours.Chat.ParsedChoice<{ a: 1 }>, Theirs.Chat.ParsedChoice<{ a: 1 }>>();
same<Ours.Chat.Completions.ParsedChoice<{ a: 1 }>, Theirs.Chat.Completions.ParsedChoice<{ a: 1 }>>();
same<OurCompletions.ParsedChoice<{ a: 1 }>, TheirCompletions.ParsedChoice<{ a: 1 }>>();
same<Ours.Chat.ParsedFunction, Theirs.Chat.ParsedFunction>();
same<Ours.Chat.Completions.ParsedFunction, Theirs.Chat.Completions.ParsedFunction>();
same<OurCompletions.ParsedFunction, TheirCompletions.ParsedFunction>();
same<Ours.Chat.ParsedFunctionToolCall, Theirs.Chat.ParsedFunctionToolCall>();
same<Ours.Chat.Completions.ParsedFunctionToolCall, Theirs.Chat.Completions.ParsedFunctionToolCall>();
same<OurCompletions.ParsedFunctionToolCall, TheirCompletions.ParsedFunctionToolCall>();

// Within the types.
same<Ours.ChatCompletion.Choice, Theirs.ChatCompletion.Choice>();
same<Ours.ChatCompletion.Choice.Logprobs, Theirs.ChatCompletion.Choice.Logprobs>();
same<Ours.ChatCompletion.Moderation, Theirs.ChatCompletion.Moderation>();
same<Ours.ChatCompletionAssistantMessageParam.Audio, Theirs.ChatCompletionAssistantMessageParam.Audio>();
same<Ours.ChatCompletionAssistantMessageParam.FunctionCall, Theirs.ChatCompletionAssistantMessageParam.FunctionCall>();
same<Ours.ChatCompletionAudioParam.ID, Theirs.ChatCompletionAudioParam.ID>();
same<Ours.ChatCompletionChunk.Choice, Theirs.ChatCompletionChunk.Choice>();
same<Ours.ChatCompletionChunk.Choice.Delta, Theirs.ChatCompletionChunk.Choice.Delta>();
same<Ours.ChatCompletionChunk.Choice.Delta.FunctionCall, Theirs.ChatCompletionChunk.Choice.Delta.FunctionCall>();
same<Ours.ChatCompletionChunk.Choice.Delta.ToolCall, Theirs.ChatCompletionChunk.Choice.Delta.ToolCall>();
same<
  Ours.ChatCompletionChunk.Choice.Delta.ToolCall.Function,
  Theirs.ChatCompletionChunk.Choice.Delta.ToolCall.Function
>();
same<Ours.ChatCompletionChunk.Choice.Delta.ToolCall.Custom, Theirs.ChatCompletionChunk.Choice.Delta.ToolCall.Custom>();
same<Ours.ChatCompletionChunk.Choice.Delta.Audio, Theirs.ChatCompletionChunk.Choice.Delta.Audio>();
same<Ours.ChatCompletionChunk.Choice.Logprobs, Theirs.ChatCompletionChunk.Choice.Logprobs>();
same<Ours.ChatCompletionChunk.Moderation, Theirs.ChatCompletionChunk.Moderation>();
same<Ours.ChatCompletionContentPart.File, Theirs.ChatCompletionContentPart.File>();
same<Ours.ChatCompletionContentPart.File.File, Theirs.ChatCompletionContentPart.File.File>();
same<
  Ours.ChatCompletionContentPart.File.PromptCacheBreakpoint,
  Theirs.ChatCompletionContentPart.File.PromptCacheBreakpoint
>();
same<Ours.ChatCompletionContentPartImage.ImageURL, Theirs.ChatCompletionContentPartImage.ImageURL>();
same<
  Ours.ChatCompletionContentPartImage.PromptCacheBreakpoint,
  Theirs.ChatCompletionContentPartImage.PromptCacheBreakpoint
>();
same<Ours.ChatCompletionContentPartInputAudio.InputAudio, Theirs.ChatCompletionContentPartInputAudio.InputAudio>();
same<
  Ours.ChatCompletionContentPartText.PromptCacheBreakpoint,
  Theirs.ChatCompletionContentPartText.PromptCacheBreakpoint
>();
same<Ours.ChatCompletionCustomTool.Custom, Theirs.ChatCompletionCustomTool.Custom>();
same<Ours.ChatCompletionCustomTool.Custom.Grammar, Theirs.ChatCompletionCustomTool.Custom.Grammar>();
same<Ours.ChatCompletionCustomTool.Custom.Grammar.Grammar, Theirs.ChatCompletionCustomTool.Custom.Grammar.Grammar>();
same<Ours.ChatCompletionCustomTool.Custom.Text, Theirs.ChatCompletionCustomTool.Custom.Text>();
same<Ours.ChatCompletionMessage.Annotation, Theirs.ChatCompletionMessage.Annotation>();
same<Ours.ChatCompletionMessage.Annotation.URLCitation, Theirs.ChatCompletionMessage.Annotation.URLCitation>();
same<Ours.ChatCompletionMessage.FunctionCall, Theirs.ChatCompletionMessage.FunctionCall>();
same<Ours.ChatCompletionMessageCustomToolCall.Custom, Theirs.ChatCompletionMessageCustomToolCall.Custom>();
same<Ours.ChatCompletionMessageFunctionToolCall.Function, Theirs.ChatCompletionMessageFunctionToolCall.Function>();
same<Ours.ChatCompletionNamedToolChoice.Function, Theirs.ChatCompletionNamedToolChoice.Function>();
same<Ours.ChatCompletionNamedToolChoiceCustom.Custom, Theirs.ChatCompletionNamedToolChoiceCustom.Custom>();
same<Ours.ChatCompletionTokenLogprob.TopLogprob, Theirs.ChatCompletionTokenLogprob.TopLogprob>();
same<Ours.ChatCompletionCreateParams.Function, Theirs.ChatCompletionCreateParams.Function>();
same<Ours.ChatCompletionCreateParams.Moderation, Theirs.ChatCompletionCreateParams.Moderation>();
same<Ours.ChatCompletionCreateParams.Moderation.Policy, Theirs.ChatCompletionCreateParams.Moderation.Policy>();
same<
  Ours.ChatCompletionCreateParams.Moderation.Policy.Input,
  Theirs.ChatCompletionCreateParams.Moderation.Policy.Input
>();
same<
  Ours.ChatCompletionCreateParams.Moderation.Policy.Output,
  Theirs.ChatCompletionCreateParams.Moderation.Policy.Output
>();
same<Ours.ChatCompletionCreateParams.PromptCacheOptions, Theirs.ChatCompletionCreateParams.PromptCacheOptions>();
same<Ours.ChatCompletionCreateParams.WebSearchOptions, Theirs.ChatCompletionCreateParams.WebSearchOptions>();
same<
  Ours.ChatCompletionCreateParams.WebSearchOptions.UserLocation,
  Theirs.ChatCompletionCreateParams.WebSearchOptions.UserLocation
>();
same<
  Ours.ChatCompletionCreateParams.WebSearchOptions.UserLocation.Approximate,
  Theirs.ChatCompletionCreateParams.WebSearchOptions.UserLocation.Approximate
>();
same<
  Ours.ChatCompletionCreateParams.ChatCompletionCreateParamsStreaming,
  Theirs.ChatCompletionCreateParams.ChatCompletionCreateParamsStreaming
>();
same<
  Ours.ChatCompletionCreateParams.ChatCompletionCreateParamsNonStreaming,
  Theirs.ChatCompletionCreateParams.ChatCompletionCreateParamsNonStreaming
>();
same<Ours.CompletionUsage.PromptTokensDetails, Theirs.CompletionUsage.PromptTokensDetails>();
same<Ours.CompletionUsage.CompletionTokensDetails, Theirs.CompletionUsage.CompletionTokensDetails>();
same<OurShared.ResponseFormatJSONSchema.JSONSchema, TheirShared.ResponseFormatJSONSchema.JSONSchema>();
same<OurShared.ErrorObject, TheirShared.ErrorObject>();

same<OurShared.ChatModel, TheirShared.ChatModel>();
same<OurCompletions.ChatCompletionStreamParams, TheirCompletions.ChatCompletionStreamParams>();
same<OurCompletions.ChatCompletionCreateParamsBase, TheirCompletions.ChatCompletionCreateParamsBase>();

// Settings. Headers that openai has merged already, which no program makes, are no headers here.
type Options = NonNullable<ConstructorParameters<typeof Ours>[0]>;
type TheirOptions = NonNullable<ConstructorParameters<typeof Theirs>[0]>;
same<Omit<Ours.RequestOptions, "headers">, Omit<Theirs.RequestOptions, "headers">>();
const settings: Omit<Options, "defaultHeaders"> = {} as Omit<TheirOptions, "defaultHeaders">;
const options: Theirs.RequestOptions = {} as Ours.RequestOptions;
void [settings, options];
