/** A regular expression that takes time in proportion to the text, whatever both are. */
export type Regex = {
  readonly source: string;
  /** Of the whole text. */
  matches(text: string): boolean;
};

/** Null: it is no regular expression of this syntax, or too large. */
export type RegexCompiler = (source: string) => Regex | null;

export const MAX_REGEX_CHARS = 1024;
/** Instructions of its program: what one character of a text may cost at most. */
const MAX_PROGRAM = 2000;

/** What reading these texts needs; null when they have no regular expressions. Loaded too often rather than too seldom. */
export async function regexesFor(texts: readonly string[]): Promise<RegexCompiler | null> {
  const needed = texts.some((text) => text.includes('"matches"') || text.includes('\\u'));
  return needed ? await loadRegexCompiler() : null;
}

/** RE2's syntax and guarantees. Loaded only for policies that use it: it is larger than the rest of this folder. */
async function loadRegexCompiler(): Promise<RegexCompiler> {
  const { RE2JS } = await import('re2js');
  return (source) => {
    try {
      // A dot that stops at a line break would let a rule be evaded by one.
      const regex = RE2JS.compile(source, RE2JS.DOTALL);
      if (source.length > MAX_REGEX_CHARS || regex.programSize() > MAX_PROGRAM) return null;
      return { source, matches: (text) => regex.testExact(text) };
    } catch {
      return null;
    }
  };
}
