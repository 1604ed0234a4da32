/** For `node --import`: `sluice/plugin` and `sluice/plugin-testing` are there for every module of the process. */
import { hookModules } from './modules.ts';

hookModules();
