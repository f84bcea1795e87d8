package process

// What is counted of each process, and summed up per group.
const (
	userTicks = iota
	systemTicks
	minorFaults
	majorFaults
	readBytes
	writtenBytes
	voluntarySwitches
	involuntarySwitches
	numCounts
)

// proc is a process of the host, whether in a group or not, from the scan that
// saw it first to the one that no longer does.
type proc struct {
	// stat is the latest, valid if seen is the current scan.
	stat stat
	seen uint64
	// comm and stat.stack are those of the program that group was matched for.
	comm string
	// settled is false until the match was confirmed by the next scan: a
	// process that was just forked may still be about to set its name.
	settled bool
	group   *group
	// joined is true in the scan in which the process entered its group.
	joined bool
	// born is true in the first scan of a process that began after the scan
	// before, so that all of what it has used counts.
	born bool
	// memory is the control group that counts its memory, empty until it is asked.
	memory string
	// main is true for a process that entered the group from outside: its
	// parent is not a member.
	main bool

	counted [numCounts]bool
	last    [numCounts]uint64
}

// group adds up its processes. Totals survive the processes they came from.
type group struct {
	matcher
	totals   [numCounts]uint64
	restarts uint64
	// owed are main processes that have vanished and were not replaced yet.
	owed int

	now observation
}

// observation is a group in one scan.
type observation struct {
	// unknown is true when a member was there but could not be looked at.
	unknown bool

	procs, threads                            uint64
	resident, virtual, swapped                uint64
	files                                     uint64
	worstFileRatio                            float64
	oldestTicks                               uint64
	running, sleeping, waiting, zombie, other uint64
	// Files that could not be read of at least one member.
	noStatus, noIO, noFiles bool
}

// enter moves p into its new group, or out of any.
func (p *proc) enter(g *group) {
	if g == p.group {
		return
	}
	p.leave()
	p.group = g
	p.joined = g != nil
	p.counted = [numCounts]bool{}
	p.last = [numCounts]uint64{}
}

// leave notes that p no longer works for its group.
func (p *proc) leave() {
	if p.main {
		p.main = false
		p.group.owed++
	}
}

// arrive decides whether p is a main process, and if so, whether it replaces
// one: a restart is a main process that comes after another has gone.
func (p *proc) arrive(parent *proc) {
	p.joined = false
	p.main = parent == nil || parent.group != p.group
	if p.main && p.group.owed > 0 {
		p.group.owed--
		p.group.restarts++
	}
}

// count adds to the group's total what p has used since it was last looked at.
// What it used before it was in the group, or in sight, does not count.
func (p *proc) count(what int, value uint64) {
	if !p.counted[what] {
		p.counted[what] = true
		if !p.born {
			p.last[what] = value
		}
	}
	// The kernel's estimates of user and system time may step back.
	if value > p.last[what] {
		p.group.totals[what] += value - p.last[what]
		p.last[what] = value
	}
}

func (o *observation) countState(state byte) {
	switch state {
	case 'R':
		o.running++
	case 'S':
		o.sleeping++
	case 'D':
		o.waiting++
	case 'Z':
		o.zombie++
	default:
		o.other++
	}
}
