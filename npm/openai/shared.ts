/**
 * Types that `openai` exports beside those of chat, from `resources/shared` and on the class: programs import them with the others.
 */
import type { ChatModel, ReasoningEffort } from "./shapes.ts";

/** The `error` object of a refusal. */
export interface ErrorObject {
  code: string | null;
  message: string;
  param: string | null;
  type: string;
  misalignment?: ErrorObject.Misalignment;
}

export declare namespace ErrorObject {
  interface Misalignment {
    detailed_explanation?: string;
    error_type?:
      | (string & {})
      | "potentially_unintended_data_transfer"
      | "potentially_unintended_data_access"
      | "potentially_unintended_destructive_activity"
      | "other";
    review_target?: string | null;
    steer?: Misalignment.Steer;
  }
  namespace Misalignment {
    interface Steer {
      message: string;
    }
  }
}

/** A condition on one attribute. */
export interface ComparisonFilter {
  key: string;
  type: "eq" | "ne" | "gt" | "gte" | "lt" | "lte" | "in" | "nin";
  value: string | number | boolean | (string | number)[];
}

/** Several conditions as one. */
export interface CompoundFilter {
  type: "and" | "or";
  filters: (ComparisonFilter | unknown)[];
}

/** JSON as an input. */
export interface DecisionInputJSON {
  type: "input_json";
  data: { [key: string]: unknown } | { [key: string]: unknown }[];
}

/** An image as a part of a question. */
export interface DecisionQuestionInputImage {
  type: "input_image";
  image_url: string;
  detail?: "low" | "high" | "auto" | "original" | null;
}

/** A text as a part of a question. */
export interface DecisionQuestionInputText {
  type: "input_text";
  text: string;
}

/** A part of a question. */
export type DecisionQuestionInputPart = DecisionQuestionInputText | DecisionQuestionInputImage | DecisionInputJSON;

/** The code of a failed exchange of tokens. */
export type OAuthErrorCode = "invalid_grant" | "invalid_subject_token" | (string & {});

/** How a model reasons. */
export interface Reasoning {
  context?: "auto" | "current_turn" | "all_turns" | null;
  effort?: ReasoningEffort | null;
  generate_summary?: "auto" | "concise" | "detailed" | null;
  mode?: (string & {}) | "standard" | "pro";
  summary?: "auto" | "concise" | "detailed" | null;
}

/** A model of the Responses API. */
export type ResponsesModel = (string & {}) | ChatModel;
