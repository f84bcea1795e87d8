package services

import (
	"regexp"
	"slices"
)

// step is one attempt at a diagnosis.
type step func(o Observation, log []line) (Diagnosis, bool)

// statusRule is a cause that the platform's words or the end of the process show.
type statusRule struct {
	cause   Cause
	finding string
	match   func(Observation) bool
}

// steps are tried in turn until one finds a cause.
var steps = []step{
	fromStatus(certain),
	fromLog(exhausted),
	fromStatus(faults),
	fromLog(said),
	fromStatus(likely),
	fromLog(hinted),
	traced,
	fromLog(suggested),
}

// certain is what the platform knows and no log refutes.
var certain = []statusRule{
	{Resource, "the kernel killed it at its memory limit", func(o Observation) bool {
		return o.Exit != nil && (o.Exit.OOM || o.Exit.Reason == "OOMKilled" || o.Exit.Reason == "oom-kill")
	}},
	{Resource, "evicted, because its node ran out of a resource", reason("Evicted", "OutOfcpu", "OutOfmemory", "OutOfpods", "Preempting")},
	{Node, "its node is lost", func(o Observation) bool { return o.NodeLost || o.Reason == "NodeLost" }},
	{Node, "its node was lost or started again", reason("ContainerStatusUnknown", "NodeShutdown", "Terminated")},
	{Image, "its image cannot be pulled", reason("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull",
		"RegistryUnavailable", "ImageInspectError", "SignatureValidationFailed")},
	{Configuration, "a secret, a key or a volume that it names does not exist", reason("CreateContainerConfigError", "FailedMount")},
	{Resource, "the runtime is out of a resource", message(`no space left on device|cannot allocate memory|too many open files|disk quota exceeded`)},
	{Configuration, "the runtime cannot start it as it is configured", reason("CreateContainerError", "RunContainerError", "StartError",
		"ContainerCannotRun", "FailedPostStartHook", "PostStartHookError")},
	{Configuration, "the runtime cannot start it as it is configured", message(`OCI runtime|executable file not found|exec format error|` +
		`port is already allocated|address already in use|error mounting|invalid mount|no such file or directory|permission denied`)},
	{Configuration, "systemd could not set up or execute the command", func(o Observation) bool {
		return o.Platform == Systemd && o.Exit != nil && o.Exit.Signal == 0 && o.Exit.Code >= 200 && o.Exit.Code <= 245
	}},
	{Configuration, "systemd could not prepare the start; a file that the unit names may be missing", exitReason("resources", "protocol")},
	{Resource, "its CPU limit held it back until its watchdog gave up", both(throttled, exitReason("watchdog"))},
	{Probe, "it did not notify its watchdog in time", exitReason("watchdog")},
}

// exhausted are resources that a program says it has run out of. They come
// before how it ended: an exception for lack of memory aborts, like others.
var exhausted = []logRule{
	rule(Resource, "it ran out of memory", `OutOfMemoryError|JavaScript heap out of memory|Reached heap limit|std::bad_alloc|\bMemoryError\b|`+
		`runtime: out of memory|Out of memory: Kill|Memory cgroup out of memory|memory allocation of \d+ bytes failed|OOM command not allowed|\bENOMEM\b|`+
		`(?i:(?:cannot|can't|could not|unable to|failed to) (?:re)?allocate\b.{0,40}\b(?:memory|bytes|heap))`),
	// Before the disk, whose ENOSPC a full table of watches shares.
	rule(Resource, "it ran out of files or processes", `(?i)too many open files|\bEMFILE\b|\bENFILE\b|unable to create (?:new )?native thread|`+
		`pthread_create failed|fork: retry|cannot fork|resource temporarily unavailable.*(?:fork|thread)|can't start new thread|`+
		`\blimit\b.{0,40}\b(?:inotify|watch(?:es|ers)|descriptors|handles|threads|processes)\b.{0,40}\b(?:reached|exceeded)\b`),
	rule(Resource, "the disk is full", `(?i)no space left on device|\bENOSPC\b|disk quota exceeded|disk is full`),
}

// faults are ends that only mistakes in a program bring about.
var faults = []statusRule{
	{Crash, "it crashed", func(o Observation) bool {
		return o.Exit != nil && (o.Exit.Reason == "core-dump" || slices.Contains([]int{4, 5, 7, 8, 11, 31}, o.Exit.signal()))
	}},
}

// said are causes that programs name before they end.
var said = []logRule{
	// Mistakes that are told apart from what brings them about.
	rule(Crash, "it crashed", `panic: runtime error|^fatal error: (?:all goroutines|concurrent map|unexpected signal|stack overflow|sync:)|\[signal SIG|`+
		`(?i:segmentation fault|core dumped|stack smashing|double free|heap corruption)|Assertion .* failed|AssertionError|`+
		`NullPointerException|IndexOutOfBounds|ArrayIndexOutOf|ClassCastException|StackOverflowError|NullReferenceException|`+
		`\((?:NameError|NoMethodError|TypeError)\)|ZeroDivisionError|AttributeError:|IndexError:|TypeError(?: \[\w+\])?:|ReferenceError:|RangeError:|UnboundLocalError|NameError:|`+
		`attempt to \w+ with overflow|index out of bounds|called .Option::unwrap|`+
		`\bPANIC: |terminated by signal (?:4|6|7|8|11)\b|\*\* \((?:\w+\.)*(?:BadMap|Match|FunctionClause|CaseClause|UndefinedFunction|Undefined|Arithmetic|BadArity)Error\)`),
	rule(Resource, "a process of its own was killed by a signal; out of memory is the usual reason", `signal: killed|\b(?:sent|exited|terminated|killed|died|prematurely)\b.{0,30}\b(?:SIGKILL|signal 9)\b|`+
		`\bline \d+:\s+\d+ Killed\b|\b(?i:failed|exited|exit|code|status|signal)\b[^\w]{0,3}(?i:with )?(?i:code |status )?[^\w]{0,2}137\b`),
	rule(Resource, "a limit of the machine is too low for it", `(?i)\b(?:max_map_count|nofile|nproc|memlock|descriptors|threads|virtual memory areas)\b.{0,60}\b(?:too low|increase to|insufficient)\b`),
	rule(Configuration, "it does not accept its configuration", `(?i)yaml: |cannot unmarshal|unmarshal(?:ling)? error|not found in type|unknown field|`+
		`toml: |yaml\.(?:scanner|parser|constructor)|TOMLDecodeError|JSONDecodeError|`+
		`(?:error|failed|fail|cannot|can't|could not|couldn't|unable|invalid|bad|missing|malformed)\b.{0,60}\b(?:config(?:uration)?|settings|properties|\.ya?ml|\.toml|\.ini|\.conf|\.env)\b|`+
		`\b(?:config(?:uration)?|settings|properties|\.ya?ml|\.toml|\.ini|\.conf)\b.{0,60}\b(?:error|invalid|missing|not found|does not exist|malformed|failed)\b|`+
		`syntax error in|\[emerg\]|unexpected end of file, expecting`),
	rule(Configuration, "a setting is missing or not valid", `(?i)(?:missing|required|undefined|unset|not set|must be set|must be provided|is required|not defined|empty|not provided|need to specify|must specify)\b.{0,60}`+
		`\b(?:env|environment|variables?|settings?|flags?|options?|parameters?|arguments?|api[_ -]?keys?|keys?)\b|`+
		`\b(?:env|environment|variables?|settings?|flags?|options?|parameters?|arguments?|[A-Z][A-Z0-9]*_[A-Z0-9_]+|passwords?|uri|url)\b.{0,60}`+
		`\b(?:missing|required|undefined|unset|not set|must be set|is required|not defined|is empty|not provided|not specified|not found)\b|`+
		`KeyError: '[A-Z0-9_]+'|unbound variable|\bNotPresent\b|no matches for kind|could not resolve placeholder|failed to bind properties|ImproperlyConfigured|ValidationError: .*(?:field|Settings)|`+
		`(?:unknown|unrecognized|invalid|bad|undefined) (?:\w+ )?(?:flag|option|argument|command|directive|parameter|value for|port)|flag provided but not defined`),
	rule(Configuration, "its credentials or certificates are refused", `(?i)password authentication failed|access denied for user|authentication fail(?:ed|ure)|`+
		`invalid (?:credentials|api[- ]?key|username|password)|NOAUTH|WRONGPASS|(?:role|database) "[^"]*" does not exist|unknown database|`+
		`x509: |certificate (?:has expired|verify failed|is not valid)|tls: (?:failed to verify|bad certificate)|`+
		`code"?:\s*-20(?:14|15)\b|no pg_hba.conf entry|\baccess[ _-]?refused|\b(?:login|logon) (?:was )?(?:refused|failed|incorrect|denied)|\b401 unauthorized|\b403 forbidden`),
	rule(Configuration, "the data that it finds is not its own, or of another version", `(?i)\b(?:wrong|incorrect|invalid|bad) (?:ownership|permissions|owner)|permissions should be|has group or world access|`+
		`\b(?:files?|data|database|schema|format|version|volume)\b.{0,80}\b(?:incompatible|not compatible)\b|\b(?:incompatible|unsupported) (?:\w+ )?(?:version|format|schema)\b|`+
		`\b(?:data|schema|database)\b.{0,40}\b(?:is|was) (?:newer|older|created by|written by|initialized by)\b|\bversion mismatch\b|can't handle .{1,40} version|`+
		`\b(?:doesn't|does not|don't|do not) match (?:the )?(?:stored|expected|existing|previous|recorded)\b|`+
		`\b(?:relation|table|column|index|schema) .{1,80}\b(?:does not exist|doesn't exist|already exists)|no such (?:table|column)|unknown column|`+
		`\bupgrade\b.{0,40}\bnot supported\b|please run \S*upgrade|\b(?:log|files?|tablespace) (?:was|were) created (?:with|by)\b|\b(?:pending|unapplied|failed) migrations?\b|migration.{0,60}checksum|checksum.{0,60}migration|dirty database version`),
	rule(Configuration, "a file, program or module that it needs is not there or not allowed", `(?i)exec format error|exec user process caused|executable file not found|`+
		`command not found|: not found$|cannot execute|cannot find module|ModuleNotFoundError|ImportError: |NoClassDefFoundError|ClassNotFoundException|`+
		`could not find or load main class|error while loading shared libraries|unable to access jarfile|no such file or directory|`+
		`FileNotFoundError|FileNotFoundException|cannot get bootfile|load_failed|could not access file|permission denied|PermissionError|\bEACCES\b|operation not permitted|read-only file system`),
	rule(Configuration, "its address or its data is taken by another process", `(?i)address already in use|\bEADDRINUSE\b|port \d+ (?:is )?(?:already )?(?:in use|allocated)|only one usage of each socket|`+
		`\block(?:ed|file)?\b.{0,40}\banother\b|\banother (?:\w+ )?(?:process|instance|server)\b|\bis already running\b|\bdatabase is locked\b|(?:unable|failed) to lock\b|could not lock\b`),
	rule(Dependency, "what it asks refuses it, because it is asked too often", `(?i)too many requests|rate[ -]?limit(?:ed|s)? (?:exceeded|reached|hit)|rate limited|`+
		`\b(?:418|429) (?:client error|i'm a teapot|too many)|\b(?:status|code|http)[ =:]{1,3}(?:418|429)\b|\bip (?:address )?(?:is )?banned|request weight`),
	rule(Dependency, "what it needs does not answer", `(?i)connection refused|\bECONNREFUSED\b|connection timed out|\bETIMEDOUT\b|i/o timeout|no route to host|\bEHOSTUNREACH\b|`+
		`network is unreachable|connection reset|\bECONNRESET\b|broken pipe|context deadline exceeded|deadline exceeded|TimeoutException|TimeoutError|timed out|`+
		`(?:could not|cannot|can't|couldn't|unable to|failed to|error(?: while)?) (?:connect|connecting|reach|contact|ping|open database|getting broker)|connect(?:ion)?(?: \w+)? failed|connection error|`+
		`ConnectionError|ConnectException|OperationalError|ServerSelectionError|MongoNetworkError|NoBrokersAvailable|brokers? (?:may |is |are )?(?:not|un)\s?(?:be )?available|`+
		`brokers? (?:are )?down|found only \d+|LEADER_NOT_AVAILABLE|communications link failure|server closed the connection|upstream .*(?:unavailable|refused)|\b50[234] (?:bad gateway|service unavailable|gateway time)|`+
		`\b50[0234] server error|\berror 50[0234]\b|connection to .{1,40} (?:was )?lost|lost connection|giving up after \d+ (?:attempts|retries)|retries exceeded|not reachable|unreachable|session timed out`),
	rule(Dependency, "a name that it needs is not resolved", `(?i)no such host|\bENOTFOUND\b|\bEAI_AGAIN\b|getaddrinfo|temporary failure in name resolution|`+
		`name or service not known|UnknownHostException|could not (?:resolve|translate) host|\bhost not found\b|unknown host\b|server misbehaving|nodename nor servname`),
	rule(Dependency, "what it needs is not ready for it", `(?i)database system is (?:starting up|shutting down|in recovery)|too many (?:connections|clients)|waiting for .{1,60}(?:ready|available|come up)|`+
		`LOADING Redis|MASTERDOWN|READONLY You can't write|not primary|no leader|(?:leadership|lease|leader election) (?:was )?lost|lost (?:the )?(?:leadership|lease)|failed to renew lease|`+
		`\b(?:is|are) (?:still |currently |temporarily )?(?:not (?:yet )?(?:available|ready|reachable|up)|unavailable|unhealthy)\b`),
}

// likely is what the end of the process suggests where the log is silent.
var likely = []statusRule{
	{Resource, "its CPU limit held it back until its probe failed", both(throttled, func(o Observation) bool { return o.Probe != "" })},
	{Resource, "its CPU limit held it back until its start or stop took too long", both(throttled, exitReason("timeout"))},
	{Probe, "its probe failed, and it was restarted for that", func(o Observation) bool { return o.Probe != "" }},
	{Probe, "its start or stop took too long", exitReason("timeout")},
	{Crash, "it aborted", signalled(6)},
	{Resource, "killed by a signal that nobody here sent; out of memory is the usual reason", signalled(9)},
	{Configuration, "its command cannot be executed", exitCode(126, 127)},
	{Configuration, "it says itself that it is used or configured wrongly", exitCode(64, 78)},
	{Dependency, "it says itself that a service it needs is unavailable", exitCode(69, 75)},
}

// hinted are signs of a crash that others bring about as well.
var hinted = []logRule{
	rule(Crash, "it ended with an error of its own", `^panic: |^fatal error: |Traceback \(most recent call last\)|Exception in thread|\bUncaught\b|`+
		`(?i:unhandled (?:promise )?(?:rejection|exception))|terminate called|goroutine \d+ \[running\]|^thread '.*' .*panicked|\w+(?:Error|Exception): |`+
		`^\*\* \((?:EXIT|[\w.]+)\b|GenServer .* terminating|(?i:kernel pid terminated)|application_start_failure|init terminating in do_boot`),
}

// suggested is what the words of an error point to, where nothing better is known.
var suggested = []logRule{
	rule(Configuration, "its error points to its set-up or its data", complaint+`(?:already exists?|not exist|unsupported|not supported|incompatible|invalid|not valid|`+
		`unknown|unrecognized|not found|missing|not allowed|not permitted|denied|corrupt(?:ed|ion)?|mismatch|must be|must not|expected|required|duplicate|locked)\b`),
	rule(Dependency, "its error points to something that it needs", complaint+`(?:connect(?:ion|ing)?|remote|peer|upstream|broker|endpoint|socket|unavailable|`+
		`timeout|network|gateway|dns)\b`),
}

// complaint begins a pattern of lines that call themselves an error.
const complaint = `(?i)\b(?:error|fatal|critical|fail(?:ed|ure)?|exception|cannot|can't|could not|unable)\b.*\b`

func reason(reasons ...string) func(Observation) bool {
	return func(o Observation) bool {
		return slices.Contains(reasons, o.Reason) || o.Exit != nil && slices.Contains(reasons, o.Exit.Reason)
	}
}

// message matches the runtime's own messages, not those of probes.
func message(pattern string) func(Observation) bool {
	p := regexp.MustCompile(`(?i)` + pattern)
	return func(o Observation) bool {
		return p.MatchString(o.Message) || o.Exit != nil && o.Exit.Reason == "StartFailed" && p.MatchString(o.Exit.Message)
	}
}

// throttled is half of the time, the share from which a program that answers in
// time without a limit misses deadlines of a few times that.
func throttled(o Observation) bool {
	ratio, ok := o.CPU.Ratio()
	return ok && ratio >= 0.5
}

func both(a, b func(Observation) bool) func(Observation) bool {
	return func(o Observation) bool { return a(o) && b(o) }
}

func exitReason(reasons ...string) func(Observation) bool {
	return func(o Observation) bool { return o.Exit != nil && slices.Contains(reasons, o.Exit.Reason) }
}

func exitCode(codes ...int) func(Observation) bool {
	return func(o Observation) bool { return o.Exit != nil && slices.Contains(codes, o.Exit.Code) }
}

func signalled(signal int) func(Observation) bool {
	return func(o Observation) bool { return o.Exit != nil && o.Exit.signal() == signal }
}
