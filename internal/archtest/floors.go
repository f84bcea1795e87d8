package archtest

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

const architecture = "ARCHITECTURE.md"

// testFloor is the floor of packages that only serve tests.
const testFloor = -1

// floorTable is the table of ARCHITECTURE.md: package pattern to its row.
type floorTable struct {
	rows map[string]floorRow
	top  int
}

type floorRow struct {
	floor   int
	line    int
	planned bool
}

// The table's rows read `| 2 | `internal/store` … | `internal/state` … |`: floor,
// packages that exist, packages that are planned.
func parseFloors(page string) floorTable {
	row := regexp.MustCompile(`^\| (\d+|tests) \|([^|]*)\|([^|]*)\|$`)
	name := regexp.MustCompile("`([^`]+)`")
	table := floorTable{rows: make(map[string]floorRow)}
	for i, line := range strings.Split(page, "\n") {
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		floor := testFloor
		if m[1] != "tests" {
			floor, _ = strconv.Atoi(m[1]) // The pattern matched digits.
		}
		table.top = max(table.top, floor)
		for column, planned := range []bool{false, true} {
			for _, n := range name.FindAllStringSubmatch(m[2+column], -1) {
				table.rows[n[1]] = floorRow{floor: floor, line: i + 1, planned: planned}
			}
		}
	}
	return table
}

// find returns the row of a directory. `audit/*` stands for audit and all below.
func (f floorTable) find(dir string) (floorRow, bool) {
	if row, ok := f.rows[dir]; ok {
		return row, true
	}
	for ; dir != "."; dir = path.Dir(dir) {
		if row, ok := f.rows[dir+"/*"]; ok {
			return row, true
		}
	}
	return floorRow{}, false
}

func checkFloors(t *Tree) []Problem {
	table := parseFloors(t.Text[architecture])
	if len(table.rows) == 0 {
		return []Problem{{File: architecture, Message: "has no table of floors; its rows start with `| 0 |` … or `| tests |`"}}
	}
	var problems []Problem
	present := make(map[string]bool)
	for _, p := range t.Packages {
		row, ok := table.find(p.Dir)
		if !ok {
			problems = append(problems, Problem{File: p.Dir, Message: "stands on no floor; add the package to the table in " + architecture})
			continue
		}
		if row.planned {
			problems = append(problems, Problem{architecture, row.line, fmt.Sprintf("%s exists; move it from the planned packages to the others", p.Dir)})
		}
		for dir := p.Dir; dir != "."; dir = path.Dir(dir) {
			present[dir], present[dir+"/*"] = true, true
		}
		problems = append(problems, t.checkImports(table, p, row.floor)...)
	}
	for name, row := range table.rows {
		if !row.planned && !present[name] {
			problems = append(problems, Problem{architecture, row.line, fmt.Sprintf("%s does not exist; remove it or move it to the planned packages", name)})
		}
	}
	return problems
}

func (t *Tree) checkImports(table floorTable, p *Package, floor int) []Problem {
	var problems []Problem
	for _, f := range p.Files {
		for _, spec := range f.AST.Imports {
			imported, ours := t.dirOf(spec.Path.Value)
			if !ours || imported == p.Dir {
				continue
			}
			below, ok := table.find(imported)
			if !ok {
				continue // Reported at the package itself.
			}
			if complaint := refuse(table, p.Dir, imported, floor, below.floor, f.Test); complaint != "" {
				problems = append(problems, Problem{f.Path, t.line(spec.Pos()), complaint})
			}
		}
	}
	return problems
}

// refuse says why a package may not import another one; it returns "" if it may.
func refuse(table floorTable, from, to string, floor, below int, test bool) string {
	switch {
	case floor == testFloor, below >= 0 && below < floor:
		return ""
	case below == testFloor:
		// The top floor may: `hedgewatch demo` runs the simulated exchange.
		if test || floor == table.top {
			return ""
		}
		return fmt.Sprintf("imports %s, which is for tests and the demo only", to)
	case below > floor:
		return fmt.Sprintf("imports %s, which is on floor %d above floor %d; declare a small interface here and let internal/app plug it in", to, below, floor)
	case strings.HasPrefix(from, to+"/"):
		return "" // A family package may import its parent.
	default:
		return fmt.Sprintf("imports %s on the same floor %d; declare a small interface here and let internal/app plug it in", to, floor)
	}
}

// dirOf returns the directory of a quoted import path if it is in this repository.
func (t *Tree) dirOf(quoted string) (string, bool) {
	return strings.CutPrefix(strings.Trim(quoted, `"`), t.Module+"/")
}
