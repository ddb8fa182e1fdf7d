#!/usr/bin/env node
import { launch } from './launch.js';

launch('mqshutdown', import.meta.url);
