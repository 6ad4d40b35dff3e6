import { serve } from '../../../../terraform/provider/plugin/index.ts';
import { probe } from './provider.ts';

void serve(probe);
