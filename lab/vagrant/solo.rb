# Chef keeps the attributes that it was told in a file of the node, for the next run. Here it keeps
# none: what was taken out of site.yaml is gone then, and no secret lies in that file.
allowed_normal_attributes []
