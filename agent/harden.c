/* Takes away from the process what it does not need. */
#include "agent/harden.h"

#include <cap-ng.h>
#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define HAVE_SANITIZER 1
#elif defined(__has_feature)
#	if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#		define HAVE_SANITIZER 1
#	endif
#endif

/* Each would let the environment overrule the configuration: name servers
 * and hosts (resolver(5)), proxies (curl), keys (OpenSSL, NSS). */
static const char *const scrubbed[] = { "LOCALDOMAIN", "RES_OPTIONS",
	"HOSTALIASES", "CARES_HOSTS", "RESOLV_HOST_CONF", "NLSPATH",
	"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy",
	"ALL_PROXY", "no_proxy", "NO_PROXY", "ftp_proxy", "FTP_PROXY",
	"SSLKEYLOGFILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF",
	"OPENSSL_CONF_INCLUDE", "OPENSSL_ENGINES", "OPENSSL_MODULES",
	"CTLOG_FILE", "CURL_HOME", "CURL_CA_BUNDLE", "NETRC", "QLOGDIR",
	"EVENT_NOEPOLL", "TMPDIR" };

/* We wait by epoll(7), which the soft limit of select(2) does not concern. */
static void
raise_descriptors(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) != 0 || rl.rlim_cur == rl.rlim_max)
		return;
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
}

enum status
harden_process(struct status_detail *detail)
{
	const struct rlimit none = { 0, 0 };

	raise_descriptors();

	for (size_t i = 0; i < ARRAY_LEN(scrubbed); i++)
		(void)unsetenv(scrubbed[i]);
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return status_set(detail, E_IO, "setrlimit(RLIMIT_CORE): %s",
		    strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return status_set(detail, E_IO, "prctl(PR_SET_DUMPABLE): %s",
		    strerror(errno));
	return OK;
}

/* What the drop-in for `exes` gives: nothing is left to drop then. */
static bool
has_only_ptrace(void)
{
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (cap != CAP_SYS_PTRACE &&
		    (capng_have_capability(CAPNG_EFFECTIVE, cap) == 1 ||
		        capng_have_capability(CAPNG_PERMITTED, cap) == 1))
			return false;
	return true;
}

enum status
harden_capabilities(bool uses_exes, struct status_detail *detail)
{
	bool can_bound, keep_ptrace;

	if (capng_get_caps_process() != 0)
		return status_set(
		    detail, E_INTERNAL, "capabilities cannot be read");
	/* Under the unit there are none, and capset(2) is filtered. */
	if (capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE)
		return OK;
	can_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) == 1;
	keep_ptrace = (uses_exes || geteuid() != 0) &&
	    capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_PTRACE) == 1;
	if (keep_ptrace && has_only_ptrace())
		return OK;
	capng_clear(can_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
	if (keep_ptrace &&
	    capng_update(CAPNG_ADD,
	        (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
	        CAP_SYS_PTRACE) != 0)
		return status_set(
		    detail, E_INTERNAL, "capabilities cannot be kept");
	if (capng_apply(can_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) != 0)
		return status_set(
		    detail, E_INTERNAL, "capabilities cannot be dropped");
	return OK;
}

bool
harden_has_ptrace(void)
{
	return capng_get_caps_process() == 0 &&
	    capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_PTRACE) == 1;
}

#ifndef HAVE_SANITIZER
/* What the daemon, its libraries and the name service modules call. Missing
 * on purpose: execve, execveat, ptrace, process_vm_*, pidfd_getfd, mount,
 * unshare, setns, bpf, keyctl, io_uring, kexec, module and clock calls. */
/* clang-format off */
static const char *const allowed[] = { "accept", "accept4", "access", "arch_prctl",
	"bind", "brk", "capget", "chmod", "clock_getres", "clock_gettime",
	"clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64",
	"clone", "clone3", "close", "close_range", "connect", "dup", "dup2",
	"dup3", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait",
	"epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "exit",
	"exit_group", "faccessat", "faccessat2", "fadvise64", "fallocate",
	"fchmod", "fchmodat", "fchown", "fcntl", "fcntl64", "fdatasync",
	"flock", "fstat", "fstat64", "fstatat64", "fstatfs", "fsync",
	"ftruncate", "ftruncate64", "futex", "futex_time64", "futex_waitv",
	"getcpu", "getcwd", "getdents", "getdents64", "getegid", "getegid32",
	"geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
	"getgroups32", "getpeername", "getpgid", "getpgrp", "getpid",
	"getppid", "getpriority", "getrandom", "getresgid", "getresuid",
	"getrlimit", "getrusage", "getsid", "getsockname", "getsockopt",
	"gettid", "gettimeofday", "getuid", "getuid32", "ioctl", "kill",
	"lseek", "_llseek", "link", "linkat", "listen", "lstat", "lstat64",
	"madvise", "membarrier", "memfd_create", "memfd_secret", "mkdir",
	"mkdirat", "mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect",
	"mremap", "msync", "munlock", "munmap", "name_to_handle_at",
	"nanosleep", "newfstatat", "open", "openat", "openat2",
	"pidfd_open", "pidfd_send_signal", "pause", "pipe", "pipe2", "poll",
	"ppoll", "ppoll_time64", "prctl", "pread64", "preadv", "prlimit64",
	"pselect6", "pwrite64", "pwritev", "read", "readlink", "readlinkat",
	"readv", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg",
	"rename", "renameat", "renameat2", "restart_syscall", "rmdir",
	"rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
	"rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
	"rt_sigtimedwait", "sched_getaffinity", "sched_getparam",
	"sched_getscheduler", "sched_yield", "select", "send", "sendfile",
	"sendfile64", "sendmmsg", "sendmsg", "sendto", "set_robust_list",
	"set_tid_address", "setsockopt", "shutdown", "sigaltstack",
	"sigreturn", "socket", "socketcall", "socketpair", "splice", "stat",
	"stat64", "statfs", "statx", "sysinfo", "tee", "tgkill", "time",
	"timer_create", "timer_delete", "timer_settime", "timerfd_create",
	"timerfd_gettime", "timerfd_settime", "times", "tkill", "truncate",
	"umask", "uname", "unlink", "unlinkat", "utimensat", "vmsplice",
	"wait4", "waitid", "write", "writev" };

/* clang-format on */

static int
allow_all(scmp_filter_ctx ctx)
{
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		int nr = seccomp_syscall_resolve_name(allowed[i]);
		int rc;

		if (nr == __NR_SCMP_ERROR)
			continue; /* this libseccomp is older than the call */
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
		if (rc != 0)
			return rc;
	}
	return 0;
}
#endif

enum status
harden_syscalls(struct status_detail *detail)
{
#ifdef HAVE_SANITIZER
	/* The sanitizers' own checks at exit need ptrace. */
	(void)detail;
	return OK;
#else
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (ctx == NULL)
		return status_set(detail, E_NOMEM, "seccomp: no memory");
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0)
		rc = allow_all(ctx);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc != 0)
		return status_set(detail, E_INTERNAL,
		    "the seccomp filter cannot be loaded: %s", strerror(-rc));
	return OK;
#endif
}
