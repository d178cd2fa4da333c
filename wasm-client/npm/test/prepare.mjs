// Brings the tests beside the compiled package, with the packages that they need.

import { cpSync, rmSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

const target = resolve('../../target/npm-test');
cpSync('package.json', join(target, 'package.json'));
cpSync('test', target, { recursive: true });
rmSync(join(target, 'node_modules'), { recursive: true, force: true });
symlinkSync(resolve('node_modules'), join(target, 'node_modules'), 'junction');
