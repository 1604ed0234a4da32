/** Whose code a sampled stack is: V8's CPU profile is a tree of calls, and modules of users' plugins carry their names. */

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly url: string };
  readonly hitCount?: number;
  readonly children?: readonly number[];
}

/** The plugin in whose calls most samples lie; null: there is none. @param profile JSON, as V8 writes it. */
export function pluginOfProfile(profile: string): string | null {
  const { nodes } = JSON.parse(profile) as { readonly nodes: readonly ProfileNode[] };
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const hits = new Map<string | null, number>();
  const [root] = nodes;
  const stack: Array<[ProfileNode, string | null]> = root === undefined ? [] : [[root, null]];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const [node, caller] = next;
    const plugin = /[?&]sluice-plugin=([a-z0-9_-]+)\.\d+/.exec(node.callFrame.url)?.[1] ?? caller;
    hits.set(plugin, (hits.get(plugin) ?? 0) + (node.hitCount ?? 0));
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child !== undefined) stack.push([child, plugin]);
    }
  }
  let [most, count]: [string | null, number] = [null, 0];
  for (const [plugin, found] of hits) if (found > count) [most, count] = [plugin, found];
  return most;
}
