import { serve } from './plugin/index.ts';
import { provider } from './provider.ts';

void serve(provider);
