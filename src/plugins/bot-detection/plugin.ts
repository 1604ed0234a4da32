/**
 * bot-detection: by the User-Agent. What is allowed passes, what is denied or known does not; a client that says nothing
 * passes. Verdicts are kept, since most requests of a moment come from few agents.
 */
import { re2 } from '../../lib/re2.ts';
import { definePlugin } from '../kit/define.ts';
import { refuse } from '../kit/reply.ts';
import { isKnownBot } from './bots.ts';
import { botDetection } from './schema.ts';

const KEPT = 10_000;
/** A longer agent is judged anew each time. */
const KEPT_LENGTH = 256;

const TWO = refuse(400, 'Only one User-Agent header allowed');
const BOT = refuse(403);

export default definePlugin({
  ...botDetection,
  create(config) {
    const allow = searches(config.allow);
    const deny = searches(config.deny);
    const verdicts = new Map<string, boolean>();

    function isBot(agent: string): boolean {
      const known = verdicts.get(agent);
      if (known !== undefined) return known;
      const text = agent.trim();
      const found = (search: (text: string) => boolean): boolean => search(text);
      const bot = !allow.some(found) && (deny.some(found) || isKnownBot(text));
      if (agent.length > KEPT_LENGTH) return bot;
      if (verdicts.size >= KEPT) verdicts.clear();
      verdicts.set(agent, bot);
      return bot;
    }

    return {
      access({ request: { headers } }) {
        const agent = headers.get('user-agent');
        if (agent === undefined) return undefined;
        if (headers.all('user-agent').length > 1) return TWO;
        return isBot(agent) ? BOT : undefined;
      },
    };
  },
});

function searches(sources: readonly string[] | null): ReadonlyArray<(text: string) => boolean> {
  return (sources ?? []).map((source) => {
    const pattern = re2().compile(source);
    return (text) => pattern.matcher(text).find();
  });
}
