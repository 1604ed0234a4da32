export { KONG_VERSION, VERSION as SLUICE_VERSION } from '../lib/version.ts';
