import type { Frame } from '../frame';
import type { JsonObject } from '../json';
import {
  calculateField,
  filterByValue,
  filterFieldsByName,
  filterFramesByRefId,
  limit,
  organize,
  renameByRegex,
  sortBy,
} from './columns';
import { groupBy, joinByField, labelsToFields, merge, reduceFields, seriesToRows } from './reshape';

export type Transformation = (frames: Frame[], options: JsonObject) => Frame[];

/** By the names that dashboards use. */
const transformations: Record<string, Transformation> = {
  organize,
  merge,
  reduce: reduceFields,
  filterFieldsByName,
  filterByRefId: filterFramesByRefId,
  filterByValue,
  labelsToFields,
  joinByField,
  seriesToColumns: joinByField,
  seriesToRows,
  groupBy,
  sortBy,
  limit,
  renameByRegex,
  calculateField,
};

export const transformationNames = Object.keys(transformations);

export interface Transformed {
  frames: Frame[];
  /** The ones that we do not know, and passed over. */
  unknown: string[];
}

export function transform(
  frames: Frame[],
  steps: readonly { id: string; options: JsonObject; disabled: boolean }[],
): Transformed {
  const unknown: string[] = [];
  let current = frames;
  for (const { id, options, disabled } of steps) {
    if (disabled) continue;
    const run = transformations[id];
    if (run) current = run(current, options);
    else unknown.push(id);
  }
  return { frames: current, unknown };
}
