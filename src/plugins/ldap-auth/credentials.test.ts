import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialsOf, userDn } from './credentials.ts';

const basic = (text: string | Buffer): string => Buffer.from(text as string).toString('base64');

test('credentials of a header', () => {
  const anna = { username: 'anna', password: 'pass:word' };
  for (const [header, type, found] of [
    [`ldap ${basic('anna:pass:word')}`, 'ldap', anna],
    [`  LDAP   ${basic('anna:pass:word')} `, 'ldap', anna],
    [`Basic ${basic('anna:pass:word')}`, 'basic', anna],
    [`Basic ${basic('anna:pass:word')}`, 'ldap', null],
    [`ldapx ${basic('anna:x')}`, 'ldap', null],
    [`ldap${basic('anna:x')}`, 'ldap', null],
    ['ldap', 'ldap', null],
    ['ldap !!!!', 'ldap', null],
    [`ldap ${basic('anna')}`, 'ldap', null],
    [`ldap ${basic('anna:')}`, 'ldap', null],
    [`ldap ${basic(':x')}`, 'ldap', null],
    [`ldap ${basic(Buffer.from([0xff, 0x3a, 0x41]))}`, 'ldap', null],
    [`ldap ${basic(`anna:${'x'.repeat(1025)}`)}`, 'ldap', null],
    [`ldap ${basic('é:ü')}`, 'ldap', { username: 'é', password: 'ü' }],
    // A type is a text, not a pattern.
    [`ldap ${basic('anna:x')}`, 'l.*', null],
  ] as const) {
    assert.deepEqual(credentialsOf(header, type), found, header);
  }
});

/** RFC 4514 §4 and §2.4. */
test('a name is one value of a distinguished name, whatever it holds', () => {
  for (const [name, escaped] of [
    ['anna', 'anna'],
    ['James "Jim" Smith, III', String.raw`James \"Jim\" Smith\, III`],
    ['a,ou=admins', String.raw`a\,ou\=admins`],
    ['a+cn=b', String.raw`a\+cn\=b`],
    [String.raw`a\,b`, String.raw`a\\\,b`],
    ['#x', String.raw`\#x`],
    [' x ', String.raw`\ x\ `],
    [' ', String.raw`\ `],
    ['a\0b\rc', String.raw`a\00b\0dc`],
    ['<a>;', String.raw`\<a\>\;`],
    ['*)(uid=*', String.raw`*)(uid\=*`],
    ['Lučić', 'Lučić'],
  ] as const) {
    assert.equal(userDn('uid', name, 'dc=x'), `uid=${escaped},dc=x`);
  }
});
