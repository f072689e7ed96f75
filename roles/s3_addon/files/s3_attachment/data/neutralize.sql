-- What may be garbage in the original's bucket is not for a copy to say. That it may not write and delete there, the
-- addon finds out by itself (engine/fence.py).
DELETE FROM s3_gc_mark;
