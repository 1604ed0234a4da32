/** Whether a text is JavaScript that QuickJS reads. Nothing of it runs; the engine is loaded when this is first asked. */
import { Sandbox, ScriptError } from './sandbox.ts';

const LIMITS = { memoryBytes: 24 * 1024 * 1024, stackBytes: 256 * 1024, callMs: 1000 };

let checker: Sandbox | null = null;

/** @param body of a function with these parameters. @returns null, or what is wrong with it. */
export function functionBodyProblem(body: string, parameters: string, file: string): string | null {
  if (checker === null || checker.broken) checker = new Sandbox(LIMITS);
  try {
    checker.compile(functionSource(body, parameters), file);
    return null;
  } catch (error) {
    if (error instanceof ScriptError) return error.message;
    return 'it takes too long, or too much memory, to be read';
  }
}

/** Lines count as in the body. The last line of that may be a comment. */
export function functionSource(body: string, parameters: string): string {
  return `(function (${parameters}) { 'use strict'; ${body}\n})`;
}
