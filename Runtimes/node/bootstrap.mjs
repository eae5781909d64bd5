/**
 * Entry point of the Node runtime; the command in runtime.json starts it before the function is known.
 * Frames come and go on fd 3 (Sandbox/Protocol/include/wayside_frames.h).
 *
 * Behaviour follows aws-lambda-nodejs-runtime-interface-client, the interface client of Lambda itself; README.md lists
 * the differences.
 */
import { Frames } from './lib/frames.mjs';
import { Runtime } from './lib/runtime.mjs';

const FRAMES_FD = 3;

new Runtime(new Frames(FRAMES_FD)).start();
