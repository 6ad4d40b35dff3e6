import { InputError } from '../../lib/errors.ts';
import { parseRiskRules, type RiskRules } from '../../lib/risk/index.ts';
import { SettingError } from './values.ts';

/** @throws SettingError with every defect of the file's text, by JSON pointer */
export function riskRules(text: string): RiskRules {
  try {
    return parseRiskRules(text);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new SettingError(
      ...error.defects.map(({ pointer, message }) => `names a file in which ${pointer || 'all'} ${message}`),
    );
  }
}
