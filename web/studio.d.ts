// What the server says, as it says it.
export type Change = { action: string; count: number; label: string | null; to: string | null; remark: string };
export type Work = { kind: string; what: string; done: number; total: number | null; sentence: string };
export type PerClass = { label: string; photos: number; recall: number | null; precision: number | null };
export type CurvePoint = { photos: number; accuracy: number; low: number; high: number };
// Null where it cannot be told.
export type Gain = { gain: number | null; low: number | null; high: number | null };
export type ClassGain = Gain & { label: string; photos: number };
export type Mistake = [id: string, given: string, said: string, probability: number];
export type Training = {
  isCurrent: boolean; photos: number; classes: string[]; accuracy: number | null; interval: [number, number] | null;
  seconds: number; perClass: PerClass[]; confusion: number[][]; mistakes: Mistake[]; remarks: string[];
  more: null | { curve: CurvePoint[]; twice: Gain; classes: ClassGain[] };
};
export type Export = {
  name: string; title: string; for: string; written: boolean; isCurrent: boolean; bytes: number | null;
  proof: string | null; refused: string | null;
};
export type State = {
  folder: { name: string; path: string }; options: string; version: string; classes: { name: string; photos: number }[];
  unlabelled: number;
  seeing: { done: number; total: number; skipped: { name: string; reason: string }[] };
  work: Work | null; training: Training | null; guesses: number | null;
  doctor: null | { isCurrent: boolean; number: number }; exports: Export[];
  phone: { isReachable: boolean; collect: string | null; try: string | null };
  undo: Change | null; failure: string | null;
};
export type Photo = { id: string; label: string | null; name: string; mtime: number };
export type Guess = { id: string; label: string; probability: number; isUnknown: boolean };
export type Step = { step: number; total: number; accuracy: number; crossEntropy: number };
export type Relation = { id: string; label: string; relation: string };
export type Card = {
  id: string | null; label: string; sentence: string; suggestion: string; choices: string[]; related: Relation[];
};
export type Section = { kind: string; heading: string; advice: string; number: number; cards: Card[] };
export type Examination = {
  version: string; sections: Section[]; remarks: string[]; shortcut: { sentence: string; suspicious: boolean } | null;
};
export type Near = { id: string; label: string; similarity: number };
export type Answer = {
  top: { label: string; probability: number }[]; unknown: boolean; similarity: number | null;
  threshold: number | null; heat: string | null; nearest: Near[];
};
export type View = { kind: "all" | "class" | "unlabelled" | "doctor" | "mistakes"; label: string | null };
