/** Links from page to page, relative to the application's root. */
export const exploreLink = (expr: string): string => `/explore?${new URLSearchParams({ expr })}`;

export const ruleLink = (rule: { group: string; file: string; name: string }): string =>
  `/rules/edit?${new URLSearchParams({ group: rule.group, file: rule.file, rule: rule.name })}`;
