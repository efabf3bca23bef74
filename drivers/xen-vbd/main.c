// SPDX-License-Identifier: GPL-2.0-only
#include <linux/major.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <xen/platform_pci.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

#include "vbd.h"

/* Longest wait for the backend to let go of our pages when a driver unbinds. */
#define DETACH_WAIT_MS 3000

static const struct xenpv_link_ops link_ops = {
	.offered = XenbusStateInitialised,
	.setup = xvbd_setup,
	.connect = xvbd_connect,
	.start = xvbd_start,
	.reread = xvbd_reread,
	.kick = xvbd_kick,
	.quiesce = xvbd_quiesce,
	.release = xvbd_release,
	.fail = xvbd_fail,
	.drain = xvbd_drain,
};

static int read_vdev(struct xenbus_device *xdev, u32 *vdev)
{
	int n;

	n = xenbus_scanf(XBT_NIL, xdev->nodename, "virtual-device", "%u", vdev);
	if (n != 1)
		n = xenbus_scanf(XBT_NIL, xdev->nodename, "virtual-device-ext", "%u", vdev);
	return n == 1 ? 0 : -EINVAL;
}

static int xvbd_probe(struct xenbus_device *xdev, const struct xenbus_device_id *id)
{
	struct xvbd_params params;
	struct xvbd *vbd;
	const char *slash;
	u32 handle;
	int err;

	vbd = kzalloc(sizeof(*vbd), GFP_KERNEL);
	if (!vbd)
		return -ENOMEM;
	INIT_WORK(&vbd->add_work, xvbd_add_work);
	INIT_LIST_HEAD(&vbd->siblings);
	init_waitqueue_head(&vbd->idle);

	err = read_vdev(xdev, &vbd->vdev);
	if (!err)
		err = xvbd_vdev_decode(vbd->vdev, &vbd->place);
	if (err) {
		xenbus_dev_error(xdev, err,
				 "virtual-device %u is no disk: use xvda and later names in the configuration",
				 vbd->vdev);
		goto free;
	}

	/* The last part of the path; a backend knows the disk by it too. */
	slash = strrchr(xdev->nodename, '/');
	if (!slash || kstrtouint(slash + 1, 10, &handle))
		handle = vbd->vdev;
	vbd->handle = handle;

	xvbd_params_read(&params);
	err = xenpv_link_init(&vbd->link, xdev, &link_ops, &params.link);
	if (err)
		goto free;
	dev_set_drvdata(&xdev->dev, vbd);
	xenpv_link_begin(&vbd->link);
	return 0;

free:
	kfree(vbd);
	return err;
}

static void xvbd_remove(struct xenbus_device *xdev)
{
	struct xvbd *vbd = dev_get_drvdata(&xdev->dev);

	if (!xenbus_exists(XBT_NIL, xdev->nodename, "state")) {
		/* Pulled out: nobody answers any more, so I/O must end first. */
		xenpv_link_stop(&vbd->link);
		mutex_lock(&vbd->link.lock);
		if (vbd->gd && !vbd->dead) {
			vbd->dead = true;
			blk_mark_disk_dead(vbd->gd);
		}
		mutex_unlock(&vbd->link.lock);
		xenpv_link_detach(&vbd->link, DETACH_WAIT_MS);
	}
	/*
	 * Unbound: what is cached is written while the connection works, and
	 * should it fail now, the link sees to it that I/O ends.
	 */
	xvbd_disk_destroy(vbd);
	xenpv_link_stop(&vbd->link);
	xenpv_link_detach(&vbd->link, DETACH_WAIT_MS);
	xvbd_stats_free(vbd);
	xenpv_link_destroy(&vbd->link);
	dev_set_drvdata(&xdev->dev, NULL);
	kfree(vbd);
}

static void xvbd_backend_changed(struct xenbus_device *xdev, enum xenbus_state state)
{
	struct xvbd *vbd = dev_get_drvdata(&xdev->dev);

	xenpv_link_backend_changed(&vbd->link);
}

static int xvbd_resume(struct xenbus_device *xdev)
{
	struct xvbd *vbd = dev_get_drvdata(&xdev->dev);

	return xenpv_link_resume(&vbd->link);
}

static int xvbd_is_ready(struct xenbus_device *xdev)
{
	struct xvbd *vbd = dev_get_drvdata(&xdev->dev);

	return READ_ONCE(vbd->added);
}

static const struct xenbus_device_id xvbd_ids[] = {
	{ "vbd" },
	{ "" }
};

XENPV_REMOVE_OP(xvbd_remove)

/* Its own name, so that it can be loaded beside the kernel's driver. */
static struct xenbus_driver xvbd_driver = {
	.name = "xen-vbd",
	.ids = xvbd_ids,
	.probe = xvbd_probe,
	.remove = xvbd_remove_op,
	.resume = xvbd_resume,
	.otherend_changed = xvbd_backend_changed,
	.is_ready = xvbd_is_ready,
};

static int __init xvbd_init(void)
{
	int err;

	if (!xen_domain() || !xen_has_pv_disk_devices())
		return -ENODEV;

	/* The kernel's own driver may have it; then minors are dynamic. */
	if (!register_blkdev(XENVBD_MAJOR, "xvd"))
		xvbd_major = XENVBD_MAJOR;
	else
		pr_info("xen-vbd: major %d is taken, using dynamic device numbers\n",
			XENVBD_MAJOR);

	err = xenbus_register_frontend(&xvbd_driver);
	if (err && xvbd_major)
		unregister_blkdev(xvbd_major, "xvd");
	return err;
}
module_init(xvbd_init);

static void __exit xvbd_exit(void)
{
	xenbus_unregister_driver(&xvbd_driver);
	if (xvbd_major)
		unregister_blkdev(xvbd_major, "xvd");
}
module_exit(xvbd_exit);

MODULE_DESCRIPTION("Xen block frontend of the xenpv drivers");
MODULE_LICENSE("GPL");
MODULE_VERSION(__stringify(XENPV_VERSION));
MODULE_ALIAS_BLOCKDEV_MAJOR(XENVBD_MAJOR);
MODULE_ALIAS("xen:vbd");
