/**
 * opa: a policy decides whether a request goes on. What is no decision (no answer of the server in time, an error of the
 * policy, no result for this input) is a 500, as in Kong.
 */
import { definePlugin } from '../kit/define.ts';
import type { Exchange } from '../kit/exchange.ts';
import type { FilterResult, Filters } from '../kit/filters.ts';
import { refuse } from '../kit/reply.ts';
import type { PluginServices } from '../kit/services.ts';
import { applyDecision, NoDecision } from './decision.ts';
import { type OpaConfig, policyInput } from './input.ts';
import { opa } from './schema.ts';
import { loadWasmPolicy } from './wasm-policy.ts';

type Decide = (input: unknown) => unknown;

const LARGEST_ANSWER = 256 * 1024;

export default definePlugin({
  ...opa,
  async create(config, gateway): Promise<Filters> {
    const { log } = gateway;
    const decide = await decider(config, gateway);

    function failed(error: unknown): FilterResult {
      if (error instanceof Error && error.name === 'BodyTooLarge') throw error;
      log.error(error instanceof Error ? error.message : String(error));
      return refuse(500);
    }

    function settle(exchange: Exchange, input: unknown): FilterResult | Promise<FilterResult> {
      const result = decide(input);
      if (!(result instanceof Promise)) return applyDecision(exchange, result);
      return result.then((settled) => applyDecision(exchange, settled));
    }

    return {
      access(exchange) {
        try {
          const input = policyInput(exchange, config);
          const outcome =
            input instanceof Promise ? input.then((told) => settle(exchange, told)) : settle(exchange, input);
          return outcome instanceof Promise ? outcome.catch(failed) : outcome;
        } catch (error) {
          return failed(error);
        }
      },
    };
  },
});

async function decider(config: OpaConfig, gateway: PluginServices): Promise<Decide> {
  const {
    policy_wasm: wasm,
    policy_entrypoint: entrypoint,
    policy_data: data,
    policy_memory: memory,
    policy_steps: steps,
  } = config;
  if (wasm === null) return asking(config, gateway);
  const policy = await loadWasmPolicy({ wasm: gateway.secret(wasm), entrypoint, data, memory, steps });
  return (input) => policy.evaluate(input);
}

function asking(config: OpaConfig, gateway: PluginServices): Decide {
  const url = `${config.opa_protocol}://${config.opa_host}:${config.opa_port}${config.opa_path ?? ''}`;
  return async (input) => {
    const answer = await gateway.fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ input }),
      maxBytes: LARGEST_ANSWER,
      tlsVerify: config.ssl_verify,
    });
    if (answer.status !== 200) throw new NoDecision(`${url} answered ${answer.status}`);
    const body = answer.json();
    return typeof body === 'object' && body !== null && 'result' in body ? body.result : undefined;
  };
}
