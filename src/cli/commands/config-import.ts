import type { Command } from '../command.ts';
export const command: Command = { help: '', options: {}, positionals: [0, 0], run: () => Promise.resolve(1) };
