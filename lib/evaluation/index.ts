export { classificationMetrics, multiLabelMetrics, topKAccuracy } from "./classification.js";
export type { ClassificationMetrics, LabelMatrix, MultiLabelMetrics } from "./classification.js";
export { rankMetrics, unsortedMapAt10 } from "./ranks.js";
export type { RankMetrics, ScoreMatrix, Ties } from "./ranks.js";
export { ranksOfEmbeddings, ranksOfScores, retrievalMetrics } from "./retrieval.js";
export type { RetrievalMetrics, RetrievalRanks, RetrievalSet, TiesOptions } from "./retrieval.js";
