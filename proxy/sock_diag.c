/* SOCK_DIAG_BY_FAMILY without a dump: 6 us however many sockets there are. */
#include "proxy/sock_diag.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

/* Since Linux 5.9; older headers lack it. */
enum { ATTR_CGROUP_ID = 21 };

enum { REPLY_BYTES = 4096, STALE_REPLIES_MAX = 16 };

struct sock_diag {
	struct mnl_socket *nl;
	uint32_t seq;
	uint32_t port_id;
};

struct reply {
	const struct sock_diag_end *local, *remote;
	struct sock_diag_owner owner;
	bool found;
};

enum status
sock_diag_open(struct sock_diag **out)
{
	struct sock_diag *s = calloc(1, sizeof *s);

	if (s == NULL)
		return E_NOMEM;
	s->nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (s->nl == NULL) {
		free(s);
		return E_IO;
	}
	if (mnl_socket_bind(s->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		sock_diag_close(s);
		return E_IO;
	}
	s->port_id = mnl_socket_get_portid(s->nl);
	*out = s;
	return OK;
}

void
sock_diag_close(struct sock_diag *s)
{
	if (s == NULL)
		return;
	(void)mnl_socket_close(s->nl);
	free(s);
}

static void
put_request(struct nlmsghdr *nlh, const struct sock_diag_end *local,
    const struct sock_diag_end *remote)
{
	struct inet_diag_req_v2 *req =
	    mnl_nlmsg_put_extra_header(nlh, sizeof *req);

	memset(req, 0, sizeof *req);
	req->sdiag_family = local->addr.family == ADDR_V4 ? AF_INET : AF_INET6;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = UINT32_MAX;
	req->id.idiag_sport = htons(local->port);
	req->id.idiag_dport = htons(remote->port);
	memcpy(req->id.idiag_src, local->addr.b, sizeof req->id.idiag_src);
	memcpy(req->id.idiag_dst, remote->addr.b, sizeof req->id.idiag_dst);
	req->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	req->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

/* A client may reach an IPv4 listener from an IPv6 socket: then the kernel
 * answers with mapped addresses. */
static bool
end_is(const struct sock_diag_end *want, uint8_t family, const uint32_t *words,
    uint16_t port)
{
	struct addr got = { .family = family == AF_INET ? ADDR_V4 : ADDR_V6 };

	memcpy(got.b, words, family == AF_INET ? 4 : 16);
	got = addr_unmap(&got);
	return addr_eq(&got, &want->addr) && ntohs(port) == want->port;
}

static int
take_attribute(const struct nlattr *attr, void *data)
{
	struct sock_diag_owner *owner = data;

	if (mnl_attr_get_type(attr) == ATTR_CGROUP_ID &&
	    mnl_attr_get_payload_len(attr) == sizeof owner->cgroup_id) {
		owner->has_cgroup = true;
		owner->cgroup_id = mnl_attr_get_u64(attr);
	}
	return MNL_CB_OK;
}

/* The kernel falls back to a listener on the port when nobody is connected:
 * so the answer counts only if it is exactly the 4-tuple asked for. Whom we
 * accepted has our answer to its SYN: who still waits for one is another,
 * that took the port after it. */
static int
take_reply(const struct nlmsghdr *nlh, void *data)
{
	struct reply *r = data;
	const struct inet_diag_msg *msg = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof *msg)
		return MNL_CB_ERROR;
	if (msg->idiag_state == TCP_LISTEN ||
	    msg->idiag_state == TCP_SYN_SENT || msg->idiag_inode == 0 ||
	    !end_is(r->local, msg->idiag_family, msg->id.idiag_src,
	        msg->id.idiag_sport) ||
	    !end_is(r->remote, msg->idiag_family, msg->id.idiag_dst,
	        msg->id.idiag_dport))
		return MNL_CB_STOP;
	r->owner.uid = msg->idiag_uid;
	r->owner.inode = msg->idiag_inode;
	(void)mnl_attr_parse(nlh, sizeof *msg, take_attribute, &r->owner);
	r->found = true;
	return MNL_CB_STOP;
}

/* The kernel has answered before sendto() returned, so nothing blocks. What
 * has another sequence number is left over from an earlier question. */
static enum status
receive(struct sock_diag *s, struct reply *r)
{
	_Alignas(struct nlmsghdr) char buf[REPLY_BYTES];
	int fd = mnl_socket_get_fd(s->nl);

	for (unsigned i = 0; i < STALE_REPLIES_MAX; i++) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;
		ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);

		if (n < 0)
			return E_IO;
		if (!mnl_nlmsg_ok(nlh, (int)n) || nlh->nlmsg_seq != s->seq)
			continue;
		if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY)
			return E_NOTFOUND;
		(void)mnl_cb_run(
		    buf, (size_t)n, s->seq, s->port_id, take_reply, r);
		return r->found ? OK : E_NOTFOUND;
	}
	return E_IO;
}

enum status
sock_diag_lookup(struct sock_diag *s, const struct sock_diag_end *local,
    const struct sock_diag_end *remote, struct sock_diag_owner *out)
{
	_Alignas(struct nlmsghdr) char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct reply reply = { .local = local, .remote = remote };
	enum status st;

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = ++s->seq;
	put_request(nlh, local, remote);
	if (mnl_socket_sendto(s->nl, nlh, nlh->nlmsg_len) < 0)
		return E_IO;
	st = receive(s, &reply);
	if (st == OK)
		*out = reply.owner;
	return st;
}
