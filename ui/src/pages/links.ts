/** Links from page to page, relative to the application's root. */
export const exploreLink = (expr: string): string => `/explore?${new URLSearchParams({ expr })}`;

/** Nth tells rules of one name in a group apart. */
export const ruleLink = (rule: { group: string; file: string; name: string; nth?: number }): string =>
  `/rules/edit?${new URLSearchParams({
    group: rule.group,
    file: rule.file,
    rule: rule.name,
    ...(rule.nth && { nth: String(rule.nth) }),
  })}`;
