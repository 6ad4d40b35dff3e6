import { admissionRoutes } from '../routes/admission.ts';
import type { Route } from '../routes/route.ts';
import type { Schemas } from '../schema.ts';
import { type AdmissionDeps, createAdmission } from './index.ts';
import { createIntake } from './intake.ts';
import { ADMISSION_SCHEMAS } from './review.ts';

/** What a broker has more of where it serves the webhooks of its cluster. Loaded there alone. */
export type Admitting = {
  readonly routes: readonly Route[];
  readonly schemas: Schemas;
  /** Ends when `signal` fires. */
  run(signal: AbortSignal): Promise<void>;
};

export function openAdmission(deps: AdmissionDeps & { readonly ratePerSource: number }): Admitting {
  const admission = createAdmission(deps);
  const intake = createIntake(deps.ratePerSource, deps.monotonic);
  return {
    routes: admissionRoutes({ admission, intake }),
    schemas: ADMISSION_SCHEMAS,
    run: (signal) => admission.run(signal),
  };
}
