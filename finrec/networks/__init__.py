"""Neural networks, nothing else: no data loading, no optimisation, no files.

Shape legend, used at the end of lines that change a shape:
B customers, T events (with the start token in front: T + 1 tokens), N products, V width of a text
vector, D width, H heads, K = D / H, E edges, C customer nodes of the graph, A attributes.
"""
