/** Links between the documents lead somewhere: to a file that is there, and to a heading of it. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGES = globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT }).toSorted();

/** Without what is code: there, brackets and number signs mean something else. */
function prose(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8')
    .replaceAll(/^( *)```[^]*?^\1```/gm, '')
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[()[\]]/g, ''));
}

/** A heading's anchor, as GitHub makes it. */
function anchors(page: string): Set<string> {
  const headings = prose(page).matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, text = '']) =>
      text
        .trim()
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function problem(page: string, link: string): string | null {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : join(dirname(page), path);
  if (resolve(ROOT, target) !== join(ROOT, target) || !existsSync(join(ROOT, target))) return 'no such file';
  if (anchor === undefined) return null;
  if (statSync(join(ROOT, target)).isDirectory() || !anchors(target).has(anchor)) return 'no such heading';
  return null;
}

test('links between documents lead somewhere', () => {
  assert.ok(PAGES.length > 40, String(PAGES.length));
  const broken: string[] = [];
  let links = 0;
  for (const page of PAGES) {
    for (const [, link = ''] of prose(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      links++;
      const what = problem(page, link);
      if (what !== null) broken.push(`${page}: ${link}: ${what}`);
    }
  }
  assert.deepEqual(broken, []);
  assert.ok(links > 100, String(links));
});

test('every guide and decision is in an index', () => {
  const index = `${prose('docs/README.md')}${prose('docs/architecture.md')}`;
  const pages = globSync(['guide/*.md', 'adr/*.md'], { cwd: join(ROOT, 'docs') });
  assert.deepEqual(
    pages.filter((page) => !index.includes(`(${page})`)),
    [],
  );
});
